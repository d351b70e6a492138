"""Which answers of the local ledger the shared one takes over."""

from collections.abc import Iterable

from claude_batch.batches.batching import custom_id
from claude_batch.findings.finding import compute_finding_id
from claude_batch.ledger.events import AnyEvent, Plan
from claude_batch.ledger.store import Shard, Write
from claude_batch.submission.local_answers import LocalAnswers
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.settings import NO_SETTINGS
from claude_batch.waiting.task_states import TaskState, read_plan
from ledger_events import answered, asked, at, failed, finding, forgotten, intent, plan
from memory_ledger import MemoryLedger


def ledger(events: Iterable[AnyEvent] = (), *shards: Shard) -> MemoryLedger:
    memory = MemoryLedger(lambda: at(60))
    memory.transact(lambda state: Write(tuple(events), shards))
    return memory


def pull_request(*tasks: str, definition: str = "") -> Plan:
    planned = tuple(
        PlannedTask(TaskId(name), "review", 1, 1, definition=definition) for name in tasks
    )
    return plan("p", minute=50).model_copy(
        update={"files": (PlannedFile("a.py", "a.py", "", "", planned),)}
    )


def answers_of(
    local: MemoryLedger, shared: MemoryLedger, *, keep_findings: bool = True
) -> LocalAnswers:
    return LocalAnswers(local, shared, NO_SETTINGS, lambda: at(60), keep_findings=keep_findings)


def states(shared: MemoryLedger, of: Plan) -> dict[str, TaskState]:
    readings = read_plan(shared.view(), of, NO_SETTINGS, at(60))
    return {str(task): reading.state for task, reading in readings.items()}


ANSWERED = [
    intent("i", requests=2),
    asked("i", 0, "t1", "t2", pr=None),
    asked("i", 1, "t3", pr=None),
    answered("i", 0, findings=1, shard="x"),
    answered("i", 1),
]
REQUEST = asked("i", 0)
FINDING = compute_finding_id(custom_id(REQUEST.intent, 0, REQUEST.sha), 0)
FINDINGS = Shard(REQUEST.intent, 0, (finding(FINDING),))


def test_findings_come_along_and_nothing_else() -> None:
    local, shared = ledger(ANSWERED, FINDINGS), ledger()
    wanted = pull_request("t1", "t9")
    answers = answers_of(local, shared)
    assert answers.known_tasks([wanted]) == {"t1"}
    assert (answers.take_over([wanted]), answers.take_over([wanted])) == (1, 0)
    assert states(shared, wanted) == {"t1": TaskState.ANSWERED, "t9": TaskState.WAITING}
    (row,) = shared.view().requests
    assert row.answer
    assert [row.body for row in shared.findings([row.answer])] == ["It overflows."]


def test_a_ledger_that_keeps_no_findings_gets_none() -> None:
    local, shared = ledger(ANSWERED, FINDINGS), ledger()
    answers_of(local, shared, keep_findings=False).take_over([pull_request("t1")])
    assert shared.shards == {}


def test_what_is_not_a_valid_answer_is_not_taken_over() -> None:
    events = [
        intent("i", requests=4),
        *(asked("i", n, f"t{n}", pr=None) for n in range(4)),
        answered("i", 0, findings=1),  # pruned, and no batch has it
        failed("i", 1),
        answered("i", 2),
        forgotten("t2"),  # to be asked again
    ]
    local, shared = ledger(events), ledger()
    answers = answers_of(local, shared)
    wanted = pull_request("t0", "t1", "t2", "t3")
    assert answers.known_tasks([wanted]) == {"t3"}  # in flight
    assert answers.take_over([wanted]) == 0
    assert shared.events == []


def test_an_answer_waits_for_its_second_look() -> None:
    look = [intent("v"), asked("v", 0, "t2", pr=None, purpose="verify", about=(FINDING,))]
    wanted = pull_request("t1", "t3")
    open_look, shared = ledger([*ANSWERED, *look], FINDINGS), ledger()
    answers = answers_of(open_look, shared)
    assert answers.known_tasks([wanted]) == {"t1", "t3"}
    assert answers.take_over([wanted]) == 1
    assert states(shared, wanted)["t1"] is TaskState.WAITING

    done = ledger([*ANSWERED, *look, answered("v", 0)], FINDINGS)
    assert answers_of(done, shared).take_over([wanted]) == 2
    assert states(shared, wanted)["t1"] is TaskState.ANSWERED


def test_plans_of_open_pull_requests_get_what_was_answered_later() -> None:
    local, shared = ledger(ANSWERED, FINDINGS), ledger([pull_request("t3")])
    assert answers_of(local, shared).take_over_for_open_pull_requests() == 1
    assert states(shared, pull_request("t3")) == {"t3": TaskState.ANSWERED}
