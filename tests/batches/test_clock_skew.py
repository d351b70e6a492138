"""Runners whose clocks are hours off: what one claims another neither sends again nor leaves."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import cycle, product
from pathlib import Path

import pytest

from claude_batch.batches.retry import retry
from claude_batch.errors import SubmitUnclear
from claude_batch.ledger.events import Stamp
from claude_batch.ledger.view import TaskStatus
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.sandbox.http_messages import Fault, HttpRequest, fail_calls
from claude_batch.submission.flush import FlushPlan, Submission, plan_flush
from claude_batch.submission.scope import ReviewScope
from claude_batch.submission.send import BatchSender
from rig import PRICES, REPO, Clock, Rig, content, open_answered, open_rig
from scratch import Work

WORST = ((-2, 2), (2, -2))  # hours that the clocks of writer and reader are ahead
PAIRS = [
    pytest.param(*pair, marks=() if pair in WORST else pytest.mark.slow)
    for pair in product((-2, 0, 2), repeat=2)
]
TAKES = timedelta(minutes=70)  # a batch: what is voided too early is voided before that
PAUSE = timedelta(minutes=9)


@dataclass(frozen=True)
class Skewed:
    """A runner's clock; the rig's own is the service's."""

    true: Clock
    hours: int

    def __call__(self) -> datetime:
        return self.true() + timedelta(hours=self.hours)


@dataclass
class Runner:
    rig: Rig
    now: Skewed

    @classmethod
    def of(cls, rig: Rig, hours: int) -> "Runner":
        return cls(rig, Skewed(rig.clock, hours))

    def claim(self, subject: ReviewScope) -> FlushPlan:
        claimant = replace(self.rig.claimant(), now=self.now())
        submission = Submission(claimant, subject)
        return self.sender().claim(lambda state: plan_flush(state, [submission]))

    def sender(self) -> BatchSender:
        return BatchSender(self.rig.ledger, self.rig.claude, PRICES, self.now)

    def send(self, claim: FlushPlan) -> None:
        list(self.sender().send(claim.batches))

    def collect(self) -> None:
        replace(self.rig.collector(), now=self.now).collect()


def look_for(rig: Rig, reader: int, subject: ReviewScope, span: timedelta) -> None:
    """Jobs that collect, and send again what they believe to be free. Every other one is on a
    runner whose clock is as wrong the other way."""
    end = rig.clock.at + span
    for runner in cycle([Runner.of(rig, reader), Runner.of(rig, -reader)]):
        runner.collect()
        runner.send(runner.claim(subject))
        rig.clock.forward(seconds=PAUSE.seconds)
        if rig.clock.at >= end:
            return


def is_paid_once_and_answered(rig: Rig, subject: ReviewScope) -> None:
    asked = Counter(content(params) for _, _, params in rig.server.submitted())
    assert set(asked.values()) == {1}
    assert {rig.view.task_status(task.id) for task in subject.tasks} == {TaskStatus.ANSWERED}
    assert not rig.view.open_batches()


def subject_of(rig: Rig) -> ReviewScope:
    return rig.given({"path": "a.py", "text": "a = 1\n"})


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
def test_a_sender_that_is_slow(work: Work, writer: int, reader: int) -> None:
    with open_rig(work.path, seconds=TAKES.seconds) as rig:
        subject, sender = subject_of(rig), Runner.of(rig, writer)
        claim = sender.claim(subject)
        look_for(rig, reader, subject, timedelta(minutes=25))
        sender.send(claim)
        look_for(rig, reader, subject, TAKES + 2 * PAUSE)
        is_paid_once_and_answered(rig, subject)


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
def test_a_sender_that_died_before_it_sent(work: Work, writer: int, reader: int) -> None:
    with open_rig(work.path) as rig:
        subject = subject_of(rig)
        Runner.of(rig, writer).claim(subject)
        look_for(rig, reader, subject, timedelta(minutes=60))
        is_paid_once_and_answered(rig, subject)


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
def test_a_sender_that_died_after_it_sent(work: Work, writer: int, reader: int) -> None:
    lost = fail_calls("POST", "/batches", Fault(502, after=True))
    with open_rig(work.path, seconds=TAKES.seconds, faults=lost) as rig:
        subject, sender = subject_of(rig), Runner.of(rig, writer)
        with pytest.raises(SubmitUnclear):
            sender.send(sender.claim(subject))
        look_for(rig, reader, subject, TAKES + 2 * PAUSE)
        is_paid_once_and_answered(rig, subject)


@pytest.mark.parametrize("hours", [-2, 2])
def test_what_was_freed_counts_again_once_it_is_answered(work: Work, hours: int) -> None:
    with open_rig(work.path) as rig:
        subject, away = subject_of(rig), Runner.of(rig, hours)
        names = [task.id for task in subject.tasks]
        for runner, freer in ((away, rig.clock), (Runner.of(rig, 0), away.now)):
            runner.send(runner.claim(subject))
            runner.collect()
            assert {rig.view.task_status(name) for name in names} == {TaskStatus.ANSWERED}
            stamp = Stamp("run-2", REPO, freer)
            freed = retry([rig.ledger], names, reanswer=True, stamp=stamp)
            assert freed == names
            assert {rig.view.task_status(name) for name in names} == {TaskStatus.NEW}


@pytest.mark.parametrize("hours", [-2, 2])
def test_the_latest_push_is_the_latest_plan(work: Work, hours: int) -> None:
    with open_rig(work.path) as rig:
        Runner.of(rig, -hours).claim(subject_of(rig))
        latest = Runner.of(rig, hours).claim(rig.given({"path": "b.py", "text": "b = 1\n"}))
        assert rig.view.latest_plan(7) == latest.parts[0].plan


@pytest.mark.parametrize("hours", [-2, 2])
def test_two_that_publish_take_turns(tmp_path: Path, hours: int) -> None:
    with open_answered(tmp_path, "line_10 = 'ten'") as pull:
        said: list[str] = []

        def publish(run: str, hours: int) -> PublishResult:
            now = Skewed(pull.rig.clock, hours)
            return replace(pull.publisher(run), now=now).publish(pull.scene())

        def meanwhile(incoming: HttpRequest) -> None:
            if incoming.path.endswith("/reviews") and not said:
                said.append("")
                said.append(publish("run-2", -hours).note)

        pull.shop.hub.faults = meanwhile
        assert publish("run-1", hours).posted == 2
        assert said[1:] == ["another run is publishing on pull request 1"]
        assert publish("run-2", -hours).note == "", "nobody has to wait for a lease"
        assert len(pull.reviewed()) == 1
