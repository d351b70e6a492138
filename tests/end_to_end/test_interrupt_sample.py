"""Ctrl-C in this process, at each stage: a sample of the signals of test_interrupts.py."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.models import BatchId, RemoteBatch
from claude_batch.anthropic_api.request_body import Body
from claude_batch.batches.batching import PlannedBatch
from claude_batch.errors import CannotRecord
from claude_batch.findings.finding import Finding
from claude_batch.github_api.client import GitHubClient
from claude_batch.github_api.models import DraftComment, RemoteComment
from claude_batch.ledger.events import AnswerRecorded
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState
from claude_batch.submission.send import BatchSender
from claude_batch.submission.submit import submit
from rig import PRICES, Rig, open_answered, open_rig
from scratch import Work
from shop import TOKEN

TEN = "line_10 = 'ten'"
HELD = "publish:1"


@dataclass
class InterruptedLedger:
    """A ledger with Ctrl-C when its nth write has landed. Later writes may fail."""

    ledger: Ledger
    nth: int = 1
    error: CannotRecord | None = None
    patience: list[bool] = field(default_factory=list)

    def view(self) -> LedgerState:
        return self.ledger.view()

    def transact(
        self, decide: Callable[[LedgerState], Write], *, patient: bool = True
    ) -> LedgerState:
        self.patience.append(patient)
        if self.error and len(self.patience) > self.nth:
            raise self.error
        state = self.ledger.transact(decide, patient=patient)
        if len(self.patience) == self.nth:
            raise KeyboardInterrupt
        return state

    def findings(self, answers: Iterable[AnswerRecorded]) -> Iterator[Finding]:
        return self.ledger.findings(answers)


class InterruptedAnthropic(AnthropicClient):
    """Ctrl-C when the second batch was created, or in the middle of the results."""

    batches = 0

    def create_batch(self, requests: Iterable[tuple[str, Body]]) -> RemoteBatch:
        batch = super().create_batch(requests)
        self.batches += 1
        if self.batches == 2:
            raise KeyboardInterrupt
        return batch

    def stream_results(self, batch: BatchId) -> Iterator[bytes]:
        yield next(super().stream_results(batch))
        raise KeyboardInterrupt


class InterruptedGitHub(GitHubClient):
    """Ctrl-C when a review was posted."""

    def post_review(
        self, number: int, head: str, body: str, comments: Sequence[DraftComment]
    ) -> list[RemoteComment]:
        super().post_review(number, head, body, comments)
        raise KeyboardInterrupt


@pytest.fixture
def rig(work: Work) -> Iterator[Rig]:
    with open_rig(work.path) as made:
        yield made


def interrupted_client(rig: Rig) -> InterruptedAnthropic:
    environ = {"ANTHROPIC_API_KEY": "sandbox", "ANTHROPIC_BASE_URL": rig.server.url}
    return InterruptedAnthropic(environ, sleep=rig.slept.append)


def plan_apart(rig: Rig, *paths: str) -> list[PlannedBatch]:
    """One recorded batch for each path."""
    sender = BatchSender(rig.ledger, rig.claude, PRICES, rig.clock)
    batches: list[PlannedBatch] = []
    for path in paths:
        scope = rig.apart(path)
        plan = sender.claim(lambda state, scope=scope: rig.plan(scope))
        batches += plan.batches
    return batches


def test_while_it_is_recorded_the_tasks_are_free_at_once(rig: Rig) -> None:
    scope = rig.given({"path": "a.py", "text": "a = 1\n"})
    ledger = InterruptedLedger(rig.ledger)
    with pytest.raises(KeyboardInterrupt):
        submit(scope, rig.claimant(), ledger, rig.claude, rig.clock)
    assert (rig.sent(), rig.view.open_batches()) == ([], [])
    assert ledger.patience == [True, False], "a cancelled job has few seconds"
    assert len(rig.submit(scope).sent) == 1


def test_while_it_is_sent_only_the_batch_in_hand_stays_open(rig: Rig) -> None:
    batches = plan_apart(rig, "a.py", "b.py", "c.py")
    client, ledger = interrupted_client(rig), InterruptedLedger(rig.ledger, nth=0)
    with pytest.raises(KeyboardInterrupt):
        list(BatchSender(ledger, client, PRICES, rig.clock).send(batches))
    client.close()
    records = [rig.view.batch_records[batch.intent.id] for batch in batches]
    assert [one.status(rig.clock.at) for one in records] == ["in_progress", "intent", "lost"]
    assert ledger.patience == [True, False]
    rig.clock.forward(minutes=31)
    rig.collect()
    rig.collect()
    assert sorted(rig.answers()) == ["a.py", "b.py"], "it is found again"
    assert len(rig.sent()) == 2


def test_while_the_answer_to_a_send_is_recorded_it_is_found_again(rig: Rig) -> None:
    scope = rig.given({"path": "a.py", "text": "a = 1\n"})
    ledger = InterruptedLedger(rig.ledger, nth=2)
    with pytest.raises(KeyboardInterrupt):
        submit(scope, rig.claimant(), ledger, rig.claude, rig.clock)
    (record,) = rig.view.open_batches()
    assert record.submitted
    rig.collect()
    assert (list(rig.answers()), len(rig.sent())) == (["a.py"], 1)


@pytest.mark.parametrize("stage", ["downloaded", "recorded"])
def test_while_it_is_collected_each_answer_is_recorded_once(rig: Rig, stage: str) -> None:
    rig.submit(rig.apart("a.py", "b.py"))
    client = interrupted_client(rig)
    collector = rig.collector()
    if stage == "downloaded":
        collector = replace(collector, anthropic=client)
    else:
        collector = replace(collector, ledger=InterruptedLedger(rig.ledger))
    with pytest.raises(KeyboardInterrupt):
        collector.collect()
    client.close()
    assert len(rig.view.open_batches()) == (stage == "downloaded")
    rig.collect()
    assert rig.view.open_batches() == []
    paid = sum(answer.usd or 0 for answer in rig.answers().values())
    assert rig.view.spent(rig.clock.at - timedelta(days=1)) == paid


def test_while_it_is_published_the_lease_is_given_back(tmp_path: Path) -> None:
    with open_answered(tmp_path, TEN) as pull:
        environ = {"GITHUB_API_URL": pull.shop.hub.url, "GITHUB_TOKEN": TOKEN}
        github = InterruptedGitHub(environ, pull.shop.hub.repository, sleep=pull.rig.slept.append)
        with github, pytest.raises(KeyboardInterrupt):
            replace(pull.publisher(), github=github).publish(pull.scene())
        lease = pull.rig.view.leases[HELD]
        assert lease.until == lease.at
        assert pull.publish(run="run-2").note == ""
        assert (len(pull.reviewed()), len(pull.forge.list_comments(pull.number))) == (1, 1)


def test_while_the_lease_is_taken_it_is_given_back(tmp_path: Path) -> None:
    with open_answered(tmp_path, TEN) as pull:
        rig = pull.rig
        with pytest.raises(KeyboardInterrupt):
            replace(pull.publisher(), ledger=InterruptedLedger(rig.ledger)).publish(pull.scene())
        assert rig.view.leases[HELD].owner == rig.run
        assert pull.publish(run="run-2").posted == 2


def test_a_lease_that_cannot_be_given_back_hides_no_interrupt(tmp_path: Path) -> None:
    busy = CannotRecord("the ledger is busy", "run the command again")
    with open_answered(tmp_path, TEN) as pull:
        ledger = InterruptedLedger(pull.rig.ledger, error=busy)
        with pytest.raises(KeyboardInterrupt):
            replace(pull.publisher(), ledger=ledger).publish(pull.scene())
        assert ledger.patience == [True, False]
        note = pull.publish(run="run-2").note
        assert note == "another run is publishing on pull request 1"


def test_a_claim_that_cannot_be_given_back_hides_no_interrupt(rig: Rig) -> None:
    busy = CannotRecord("the ledger is busy", "run the command again")
    ledger = InterruptedLedger(rig.ledger, error=busy)
    scope = rig.given({"path": "a.py", "text": "a = 1\n"})
    with pytest.raises(KeyboardInterrupt):
        submit(scope, rig.claimant(), ledger, rig.claude, rig.clock)
    assert ledger.patience == [True, False]
    assert len(rig.view.open_batches()) == 1
