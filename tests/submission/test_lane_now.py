"""The lane now has neither an idempotency key nor a listing: a lost answer is said, not hidden."""

import pytest

from claude_batch.config.model import Config
from claude_batch.costs.receipts import ZERO
from claude_batch.errors import SubmitUnclear
from claude_batch.formatting import dollars
from claude_batch.ledger.view import TaskStatus
from claude_batch.pull_requests.record import PullRequestRecord
from claude_batch.pull_requests.summary import FindingOutcome, ReviewCoverage, render_summary
from claude_batch.sandbox.http_messages import Fault, fail_calls
from rig import NOTHING, open_rig
from scratch import Work


def test_a_question_is_paid_at_most_twice_and_the_receipt_says_so(work: Work) -> None:
    lost = fail_calls("POST", "/v1/messages", *[Fault(502, after=True)] * 3)
    with open_rig(work.path, faults=lost, reviewer=lambda params: NOTHING) as rig:
        rig.config = Config(lane="now")
        subject = rig.given({"path": "a.py", "text": "a = 1\n"})
        for _ in range(2):
            with pytest.raises(SubmitUnclear):
                rig.submit(subject)
            rig.collect()  # sees it for the first time
            rig.clock.forward(minutes=41)
            done = rig.collect()
            assert done.lost_usd > ZERO
        assert rig.view.task_status(subject.tasks[0].id) is TaskStatus.FAILED
        assert rig.submit(subject).sent == ()
        assert len(rig.sent()) == 2

        made = PullRequestRecord(rig.view, 7, frozenset()).receipt()
        assert made.lost_usd == done.lost_usd * 2
        told = render_summary(FindingOutcome(0, (), (), ()), ReviewCoverage("c" * 40, 0, 0), made)
        assert f"possibly paid twice, at most {dollars(made.lost_usd)} more" in told
