"""A job that is slow and not dead: what it claimed is somebody else's when its time is over."""

from pathlib import Path

import pytest

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches.collect_result import CollectResult
from claude_batch.config.model import Budget, Config
from claude_batch.errors import CannotPublish, CannotSubmit
from claude_batch.ledger.view import TaskStatus
from claude_batch.sandbox.http_messages import Fault, HttpRequest
from claude_batch.submission.send import BatchSender
from claude_batch.submission.submit import submit
from rig import NOTHING, PRICES, open_answered, open_rig
from scratch import Work

TEN = "line_10 = 'ten'"


def test_nothing_is_sent_under_a_claim_that_has_run_out(work: Work) -> None:
    with open_rig(work.path) as rig:
        subject = rig.given({"path": "a.py", "text": "a = 1\n"})
        claim = rig.plan(subject)
        rig.ledger.transact(lambda view: claim.write)
        rig.clock.forward(minutes=30)
        with pytest.raises(CannotSubmit, match="claim expired"):
            list(BatchSender(rig.ledger, rig.claude, PRICES, rig.clock).send(claim.batches))
        assert rig.sent() == []
        assert rig.view.task_status(subject.tasks[0].id) is TaskStatus.NEW


def test_a_long_lane_now_keeps_its_claim(work: Work) -> None:
    seen: list[CollectResult] = []

    class Slow(AnthropicClient):
        def create_message(self, params: bytes) -> bytes:
            rig.clock.forward(minutes=12)
            seen.append(rig.collect())  # of another job
            return super().create_message(params)

    with open_rig(work.path, reviewer=lambda params: NOTHING) as rig:
        rig.config = Config(lane="now", budget=Budget(pull_request=None))
        given = {"ANTHROPIC_API_KEY": "sandbox", "ANTHROPIC_BASE_URL": rig.server.url}
        slow = Slow(given, sleep=rig.slept.append)
        subject = rig.apart(*(f"{name}.py" for name in "abcde"))
        submit(subject, rig.claimant(), rig.ledger, slow, rig.clock)
        slow.close()
        assert {answered.outcome for answered in rig.answers().values()} == {Outcome.SUCCEEDED}
        assert len(rig.answers()) == len(rig.sent()) == len(seen) == 5
        assert {note for one in seen for note in one.notes} == set()


@pytest.mark.parametrize("late", ["/pulls/1/reviews", "/issues/1/comments"])
def test_who_publishes_too_slowly_stops_before_another_run_says_the_same(
    tmp_path: Path, late: str
) -> None:
    with open_answered(tmp_path, TEN) as pull:
        calls: list[str] = []

        def slow(incoming: HttpRequest) -> Fault | None:
            if incoming.method == "POST" and incoming.path.endswith(late) and not calls:
                calls.append(incoming.path)
                pull.rig.clock.forward(minutes=11)
            return None

        pull.shop.hub.faults = slow
        with pytest.raises(CannotPublish, match="longer than the ten minutes"):
            pull.publish()
        assert len(calls) == 1
        pull.publish(run="run-2")
        assert len(pull.reviewed()) == 1
        assert len(pull.forge.list_comments(pull.number)) == 1
        checks = pull.shop.ask(
            "GET",
            f"/commits/{pull.forge.get_pull_request(pull.number).head_sha}/check-runs?filter=all",
        )
        assert checks.body["total_count"] == 1
