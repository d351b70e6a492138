from decimal import Decimal

from claude_batch.config.model import Config
from claude_batch.diff.model import SkippedFile
from claude_batch.ledger.events import AnyEvent, Plan
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.record import PullRequestRecord
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.settings import WaitingSettings
from ledger_events import answered, asked, at, failed, finding, intent, plan, settled

SETTINGS = WaitingSettings.from_config(Config())


def planned(name: str, *tasks: str, pr: int = 7, minute: float = 0) -> Plan:
    file = PlannedFile(
        path="a.py",
        old_path="a.py",
        old_blob="1",
        new_blob="2",
        tasks=tuple(
            PlannedTask(id=TaskId(task), kind="review", old_start=1, new_start=1) for task in tasks
        ),
    )
    return plan(name, minute, pr).model_copy(update={"files": (file,)})


EVENTS: list[AnyEvent] = [
    planned("p1", "t1", "t2", "t3"),
    planned("p2", "t9", pr=8),
    intent("i1", requests=2),
    asked("i1", 0, "t1", "t2"),
    answered("i1", 0),
    asked("i1", 1, "t3"),
    failed("i1", 1),
    intent("i2"),  # another pull request paid for t4, and for t9 that is its own
    asked("i2", 0, "t4", "t9", pr=8),
    answered("i2", 0, usd=Decimal("0.06")),
    intent("i3"),
    asked("i3", 0, "t5"),
]
DOSSIER = PullRequestRecord(
    LedgerState.from_events(EVENTS), 7, frozenset(map(TaskId, ("t1", "t4", "t5", "t6")))
)


def test_its_answers_are_those_for_what_is_and_what_was_planned() -> None:
    assert [answer.intent for _, answer in DOSSIER.answers()] == ["i1", "i2"]
    assert DOSSIER.planned_tasks == {"t1", "t2", "t3"}


def test_what_concerns_it() -> None:
    own = [finding("a", "t1"), finding("b", None), finding("c", "t9")]
    others = [finding("d", "t4"), finding("e", None), finding("f", "t9")]
    assert [one.id for one in DOSSIER.relevant_findings(own, others)] == ["a", "b", "d"]


def test_how_far_the_review_has_come() -> None:
    left_out = [SkippedFile("x.bin", "binary")]
    latest = planned("p3", "t1", "t4", "t5", "t6", minute=60)
    record = PullRequestRecord(LedgerState.from_events([*EVENTS, latest]), 7, frozenset())
    found = record.coverage("c" * 40, left_out, SETTINGS, at(600))
    assert (found.answered, found.reused) == (2, 1)
    assert (found.in_flight, found.waiting) == (1, 1)
    assert found.failed == 0
    assert found.left_out == (SkippedFile("x.bin", "binary"),)


def test_the_receipt_is_what_it_paid_itself() -> None:
    receipt = DOSSIER.receipt()
    assert (receipt.requests, receipt.usd) == (2, Decimal("0.02"))
    assert receipt.saved_by_dedupe == Decimal("0.03"), "half of an answer for two tasks"


def test_folded_answers_count_as_before() -> None:
    view = LedgerState.from_events([planned("p1", "t1"), settled("i1", 0, "t1", minute=10)])
    dossier = PullRequestRecord(view, 7, frozenset([TaskId("t1")]))
    assert dossier.coverage("c", [], SETTINGS, at(600)).answered == 1
    assert dossier.receipt().usd == Decimal("0.02")
    assert [answer.at for _, answer in dossier.answers()] == [at(10)]


def test_the_month_is_what_everybody_paid_until_its_newest_answer() -> None:
    later = answered("i9", 0, usd=Decimal("5"), minute=600)
    events = [*EVENTS, intent("i9"), asked("i9", 0, "t7", pr=8), later]
    before = (
        PullRequestRecord(LedgerState.from_events(EVENTS), 7, DOSSIER.current_tasks)
        .receipt(Decimal(25))
        .month
    )
    after = (
        PullRequestRecord(LedgerState.from_events(events), 7, DOSSIER.current_tasks)
        .receipt(Decimal(25))
        .month
    )
    assert before is not None
    assert (before.usd, before.budget_usd) == (Decimal("0.08"), Decimal(25))
    assert after == before, "what others pay later does not edit this comment"


def test_without_an_answer_there_is_no_month() -> None:
    assert (
        PullRequestRecord(LedgerState.from_events([planned("p1", "t1")]), 7, frozenset())
        .receipt()
        .month
        is None
    )


def test_a_folded_answer_keeps_its_lane_on_the_receipt() -> None:
    """Half price: 0.04 would have been paid without the batch."""
    for lane, saved in (("batch", "0.02"), ("now", "0")):
        view = LedgerState.from_events([planned("p1", "t1"), settled("i1", 0, "t1", lane=lane)])
        assert PullRequestRecord(view, 7, frozenset()).receipt().saved_by_batch == Decimal(saved)
