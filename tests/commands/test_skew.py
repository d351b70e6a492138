"""Runners whose clocks are hours off: what one claims another neither sends again nor leaves."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import cycle, product

import pytest
from conftest import Work
from rig import PRICES, Clock, Rig, content, open_rig

from claude_batch.errors import SubmitUnclear
from claude_batch.ledger import Standing
from claude_batch.sandbox.batches import Fault, failing
from claude_batch.sender import Sender
from claude_batch.subject import Subject
from claude_batch.submission import Claim

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

    def claim(self, subject: Subject) -> Claim:
        claimant = replace(self.rig.claimant(), now=self.now())
        return self.sender().claim(lambda view: claimant.claim(view, subject))

    def sender(self) -> Sender:
        return Sender(self.rig.ledger, self.rig.claude, PRICES, self.now)

    def send(self, claim: Claim) -> None:
        list(self.sender().send_all(claim.parcels))

    def collect(self) -> None:
        replace(self.rig.collector(), now=self.now).collect()


def look_for(rig: Rig, reader: int, subject: Subject, span: timedelta) -> None:
    """Jobs that collect, and send again what they believe to be free. Every other one is on a
    runner whose clock is as wrong the other way."""
    end = rig.clock.at + span
    for runner in cycle([Runner.of(rig, reader), Runner.of(rig, -reader)]):
        runner.collect()
        runner.send(runner.claim(subject))
        rig.clock.forward(seconds=PAUSE.seconds)
        if rig.clock.at >= end:
            return


def is_paid_once_and_answered(rig: Rig, subject: Subject) -> None:
    asked = Counter(content(params) for _, _, params in rig.server.submitted())
    assert set(asked.values()) == {1}
    assert {rig.view.standing(task.id) for task in subject.tasks} == {Standing.ANSWERED}
    assert not rig.view.open_batches()


def subject_of(rig: Rig) -> Subject:
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
    lost = failing("POST", "/batches", Fault(502, after=True))
    with open_rig(work.path, seconds=TAKES.seconds, faults=lost) as rig:
        subject, sender = subject_of(rig), Runner.of(rig, writer)
        with pytest.raises(SubmitUnclear):
            sender.send(sender.claim(subject))
        look_for(rig, reader, subject, TAKES + 2 * PAUSE)
        is_paid_once_and_answered(rig, subject)
