import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from claude_batch.anthropic_api.request_body import InMemoryBody
from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches import cancel
from claude_batch.batches.collect_result import Progress, merge_results
from claude_batch.cli.output.collect_result import collect_document
from claude_batch.cli.output.json_writer import write_json
from claude_batch.config.model import Budget, Config
from claude_batch.errors import SubmitUnclear
from claude_batch.findings.finding import Finding
from claude_batch.ledger.events import AnswerRecorded
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState, TaskStatus
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.sandbox.http_messages import Fault, HttpRequest, fail_calls
from rig import NOTHING, Reviewer, Rig, find, open_rig
from scratch import Work


@pytest.fixture
def rig(work: Work) -> Iterator[Rig]:
    with open_rig(work.path, reviewer=find("a = 1")) as made:
        yield made


# path of the only task → what comes back, how it is recorded, what that means for the task
OUTCOMES = {
    "fine.py": (NOTHING, Outcome.SUCCEEDED, TaskStatus.ANSWERED),
    "overloaded.py": (
        ModelReply(result="errored", error=("overloaded_error", "busy")),
        Outcome.ERRORED,
        TaskStatus.NEW,
    ),
    "invalid.py": (
        ModelReply(result="errored", error=("invalid_request_error", "bad")),
        Outcome.ERRORED,
        TaskStatus.FAILED,
    ),
    "expired.py": (ModelReply(result="expired"), Outcome.EXPIRED, TaskStatus.NEW),
    "canceled.py": (ModelReply(result="canceled"), Outcome.CANCELED, TaskStatus.NEW),
    "refused.py": (ModelReply("", "refusal", refusal="cyber"), Outcome.REFUSED, TaskStatus.NEW),
    "cut.py": (ModelReply('{"findings":[', "max_tokens"), Outcome.TRUNCATED, TaskStatus.NEW),
    "prose.py": (ModelReply("I see no problem."), Outcome.UNREADABLE, TaskStatus.NEW),
}


def test_each_outcome_is_recorded_as_what_it_is(work: Work) -> None:
    reviewer = Reviewer({path: reply for path, (reply, *_) in OUTCOMES.items()})
    with open_rig(work.path, reviewer=reviewer) as rig:
        rig.config = Config(budget=Budget(pull_request=None))
        subject = rig.apart(*OUTCOMES)
        assert len(rig.submit(subject).plan.estimates) == len(OUTCOMES)
        done = rig.collect()
        found = rig.answers()
        assert {path: one.outcome for path, one in found.items()} == {
            path: outcome for path, (_, outcome, _) in OUTCOMES.items()
        }
        assert {task.path: rig.view.task_status(task.id) for task in subject.tasks} == {
            path: standing for path, (*_, standing) in OUTCOMES.items()
        }
        assert done.counts() == {
            "succeeded": 1,
            "errored": 2,
            "expired": 1,
            "canceled": 1,
            "refused": 1,
            "truncated": 1,
            "unreadable": 1,
        }
        assert [status for _, status in done.batches] == ["collected"]
        for path in ("cut.py", "prose.py"):
            assert found[path].usd, "tokens were used, so dollars were paid"
        assert found["refused.py"].usd == 0, "it was refused before any output"
        for path in ("overloaded.py", "expired.py", "canceled.py"):
            assert found[path].usd is None
        assert found["overloaded.py"].error == "overloaded_error: busy"
        assert "cyber" in str(found["refused.py"].error)
        said = json.loads(write_json(collect_document(done)))
        assert said["receipt"]["usd"] > 0
        assert sum(said["answers"].values()) == len(OUTCOMES)
        # Lone refusals and invalid requests are final, and so is what failed after three payments.
        for new in (5, 5, 3):
            assert rig.submit(subject).plan.new == new
            rig.collect()


def test_twice_is_once(rig: Rig) -> None:
    rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}))
    first = rig.collect()
    assert [answered.findings for answered in first.answers] == [1]
    (finding,) = rig.ledger.findings(first.answers)
    assert (finding.path, finding.title) == ("a.py", "About a = 1")
    tip = rig.ledger.tip()
    again = rig.collect()
    assert (again.batches, again.answers, again.notes) == ((), (), ())
    assert rig.ledger.tip() == tip


def test_what_has_not_ended_stays_open(work: Work) -> None:
    with open_rig(work.path, seconds=3600) as rig:
        rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}))
        done = rig.collect()
        assert [status for _, status in done.batches] == ["in_progress"]
        assert done.answers == ()
        rig.clock.forward(hours=1)
        assert [status for _, status in rig.collect().batches] == ["collected"]


def test_retention_of_ids_keeps_findings_out_of_the_ledger(rig: Rig) -> None:
    rig.config = Config(retention="ids")
    rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}))
    (answered,) = rig.collect().answers
    assert (answered.findings, answered.shard) == (1, None)
    assert list(rig.ledger.findings([answered])) == []


def test_an_outage_is_an_error_and_loses_nothing(work: Work) -> None:
    down = fail_calls("GET", "/results", *[Fault(500)] * 5)
    with open_rig(work.path, faults=down) as rig:
        rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}))
        failed = rig.collect()
        assert failed.has_failed
        assert "500" in failed.notes[0]
        assert len(rig.collect().answers) == 1


class TestABatchThatTheApiDoesNotHave:
    def test_the_others_are_collected_all_the_same(self, work: Work) -> None:
        gone: list[str] = []

        def faults(call: HttpRequest) -> Fault | None:
            missing = any(name in call.path for name in gone)
            return Fault(404, "not_found_error") if missing else None

        with open_rig(work.path, faults=faults) as rig:
            first = rig.submit(rig.given({"path": "a.py", "text": "a\n"}))
            gone.append(str(first.sent[0].id))
            second = rig.submit(rig.given({"path": "b.py", "text": "b\n"}))
            done = rig.collect()
            assert dict(done.batches)[second.sent[0].id] == "collected"
            assert dict(done.batches)[gone[0]] == "in_progress"
            assert "another workspace" in done.notes[0]

    def test_after_29_days_it_is_lost_and_its_tasks_are_free(self, rig: Rig) -> None:
        subject = rig.given({"path": "a.py", "text": "a = 1\n"})
        rig.submit(subject)
        rig.clock.forward(days=30)
        done = rig.collect()
        assert [status for _, status in done.batches] == ["lost"]
        assert "29 days" in done.notes[0]
        (row,) = rig.view.requests
        assert row.charge() == row.request.estimate.usd, "it was billed"
        assert done.receipt.unpriced == 1, "the receipt marks it"
        assert rig.view.task_status(subject.tasks[0].id) is TaskStatus.NEW
        assert rig.collect().batches == ()


class TestACrashBetweenSendingAndRecording:
    def test_after_the_lease_the_batch_is_found_and_adopted(self, work: Work) -> None:
        lost = fail_calls("POST", "/batches", Fault(502, after=True))
        with open_rig(work.path, faults=lost, reviewer=find("a = 1"), seconds=600) as rig:
            subject = rig.given({"path": "a.py", "text": "a = 1\n"})
            with pytest.raises(SubmitUnclear):
                rig.submit(subject)
            assert [status for _, status in rig.collect().batches] == ["intent"]
            rig.clock.forward(minutes=31)
            done = rig.collect()
            assert "adopted" in done.notes[0]
            assert [status for _, status in done.batches] == ["collected"]
            assert [answered.findings for answered in done.answers] == [1]
            (sending,) = rig.view.batch_records.values()
            assert sending.submitted.adopted
            assert rig.submit(subject).sent == ()

    def test_its_tasks_are_free_forty_minutes_after_the_first_look(self, work: Work) -> None:
        with open_rig(work.path, faults=fail_calls("POST", "/batches", Fault(502))) as rig:
            subject = rig.given({"path": "a.py", "text": "a = 1\n"})
            with pytest.raises(SubmitUnclear):
                rig.submit(subject)
            for minutes, status in ((31, "intent"), (8, "undecided"), (2, "undecided")):
                assert [word for _, word in rig.collect().batches] == [status]
                assert rig.submit(subject).sent == ()
                rig.clock.forward(minutes=minutes)
            done = rig.collect()
            assert "never sent" in done.notes[0]
            assert [status for _, status in done.batches] == ["lost"]
            assert len(rig.submit(subject).sent) == 1

    def test_two_crashes_of_the_same_size_are_told_apart_by_their_results(self, work: Work) -> None:
        lost = fail_calls("POST", "/batches", *[Fault(502, after=True)] * 2)
        with open_rig(work.path, faults=lost, seconds=7200) as rig:
            for path in ("a.py", "b.py"):
                with pytest.raises(SubmitUnclear):
                    rig.submit(rig.given({"path": path, "text": path}))
            rig.clock.forward(minutes=40)
            early = rig.collect()
            assert all("2 batches might be it" in note for note in early.notes)
            rig.clock.forward(hours=2)
            done = rig.collect()
            assert [status for _, status in done.batches] == ["collected"] * 2
            assert {answered.outcome for answered in done.answers} == {Outcome.SUCCEEDED}

    def test_a_batch_that_another_job_is_about_to_record_is_not_adopted(self, work: Work) -> None:
        faults = fail_calls("POST", "/batches", Fault(502), Fault(502, after=True))
        with open_rig(work.path, faults=faults, seconds=7200) as rig:
            with pytest.raises(SubmitUnclear):
                rig.submit(rig.given({"path": "unsent.py", "text": "a"}))
            rig.clock.forward(minutes=20)
            with pytest.raises(SubmitUnclear):
                rig.submit(rig.given({"path": "sent.py", "text": "b"}))
            rig.clock.forward(minutes=11)  # the lease of the first has run out
            assert "1 batches might be it" in rig.collect().notes[0]
            tip = rig.ledger.tip()
            assert "1 batches might be it" in rig.collect().notes[0]
            assert rig.ledger.tip() == tip, "the same look is recorded once"
            rig.clock.forward(hours=2)
            first, second = rig.collect().notes
            assert "0 batches might be it" in first
            assert "adopted" in second
            assert rig.answers()["sent.py"].outcome is Outcome.SUCCEEDED
            rig.clock.forward(minutes=11)
            assert "never sent" in rig.collect().notes[0]

    def test_a_batch_of_somebody_else_is_not_adopted(self, work: Work) -> None:
        with open_rig(work.path, faults=fail_calls("POST", "/batches", Fault(502))) as rig:
            with pytest.raises(SubmitUnclear):
                rig.submit(rig.given({"path": "a.py", "text": "a"}))
            rig.claude.create_batch([("theirs", InMemoryBody(b'{"model":"claude-sonnet-5-5"}'))])
            rig.clock.forward(minutes=31)
            done = rig.collect()
            assert "0 batches might be it" in done.notes[0]


class TestWaiting:
    def test_until_nothing_is_open(self, work: Work) -> None:
        with open_rig(work.path, seconds=600) as rig:
            for path in ("a.py", "b.py", "c.py"):
                rig.submit(rig.apart(path))
            pauses: list[float] = []
            shown: list[Progress] = []

            def sleep(seconds: float) -> None:
                pauses.append(seconds)
                rig.clock.forward(seconds=seconds)

            done = rig.collector().wait(sleep, shown.append)
            assert len(done.answers) == 3
            assert [status for _, status in done.batches] == ["collected"] * 3
            assert shown[0] == Progress(3, 0)
            assert shown[-1] == Progress(3, 3)
            assert [one.done for one in shown] == sorted(one.done for one in shown)
            assert 4 <= pauses[0] <= 6
            assert max(pauses) <= 72
            assert timedelta(seconds=sum(pauses)) < timedelta(minutes=13)

    def test_a_note_is_said_once(self, work: Work) -> None:
        with open_rig(work.path, faults=fail_calls("POST", "/batches", Fault(502))) as rig:
            with pytest.raises(SubmitUnclear):
                rig.submit(rig.given({"path": "a.py", "text": "a"}))
            rig.clock.forward(minutes=31)
            done = rig.collector().wait(
                lambda seconds: rig.clock.forward(seconds=seconds), lambda progress: None
            )
            assert len(done.notes) == 2, "undecided at first, then free"
            assert [status for _, status in done.batches] == ["lost"]

    def test_nothing_open_is_over_at_once(self, rig: Rig) -> None:
        done = rig.collector().wait(rig.slept.append, lambda progress: None)
        assert (done.batches, rig.slept) == ((), [])


def test_a_canceled_batch_says_what_was_done_before(work: Work) -> None:
    with open_rig(work.path, seconds=600) as rig:
        rig.submit(rig.apart("a.py", "b.py"))
        rig.clock.forward(seconds=320)
        ((_, status),) = cancel.cancel([rig.ledger], rig.claude, [], "run-1", rig.clock)
        assert status == "canceling"
        done = rig.collect()
        assert done.counts() | {"succeeded": 1, "canceled": 1} == done.counts()


def test_collections_of_several_ledgers(rig: Rig) -> None:
    rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}))
    first = rig.collect()
    whole = merge_results([first, rig.collect()])
    assert whole == first


@dataclass
class Killed:
    """A ledger whose process dies after so many writes."""

    ledger: Ledger
    writes: int

    def view(self) -> LedgerState:
        return self.ledger.view()

    def transact(
        self, decide: Callable[[LedgerState], Write], *, patient: bool = True
    ) -> LedgerState:
        if not self.writes:
            raise KeyboardInterrupt
        self.writes -= 1
        return self.ledger.transact(decide, patient=patient)

    def findings(self, answers: Iterable[AnswerRecorded]) -> Iterator[Finding]:
        return self.ledger.findings(answers)


class TestInPortions:
    """A large batch is recorded a portion at a time."""

    def test_each_is_recorded_once_and_the_batch_at_the_end(self, rig: Rig) -> None:
        rig.submit(rig.apart(*(f"{name}.py" for name in "abcde")))
        collector = replace(rig.collector(), portion_size=2)
        assert [answered.n for answered in collector.collect().answers] == [0, 1, 2, 3, 4]
        commits = rig.ledger.git.run("log", "--reverse", "--format=%s", rig.ledger.ref).out
        assert commits.decode().split() == ["plan", "submitted", "answer", "answer", "answer"]
        assert rig.view.open_batches() == []

    def test_what_was_recorded_before_a_kill_stays_and_the_next_run_finishes(
        self, rig: Rig
    ) -> None:
        rig.submit(rig.apart(*(f"{name}.py" for name in "abcde")))
        killed = replace(rig.collector(), portion_size=2, ledger=Killed(rig.ledger, writes=1))
        with pytest.raises(KeyboardInterrupt):
            killed.collect()
        first = rig.answers()
        assert len(first) == 2
        assert len(rig.view.open_batches()) == 1
        assert len(rig.collect().answers) == 3
        assert first.items() <= rig.answers().items()
        assert rig.view.open_batches() == []


def test_a_wait_for_some_tasks_is_not_for_others(work: Work) -> None:
    with open_rig(work.path, seconds=600) as rig:
        mine = rig.given({"path": "a.py", "text": "a = 1\n"})
        rig.submit(mine)
        rig.clock.forward(minutes=8)
        rig.submit(rig.given({"path": "b.py", "text": "b = 2\n"}))
        shown: list[Progress] = []
        rig.collector().wait(
            lambda seconds: rig.clock.forward(seconds=seconds),
            shown.append,
            {task.id for task in mine.tasks},
        )
        assert rig.answers().keys() == {"a.py"}
        assert (shown[0], shown[-1]) == (Progress(1, 0), Progress(1, 1))
        assert len(rig.view.open_batches()) == 1
