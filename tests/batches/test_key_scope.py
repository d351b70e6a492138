"""Batches of another key are in flight: they are neither collected nor resent nor given up."""

from collections.abc import Iterator

import pytest

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.sdk import FEDERATION_RULE, key_scope
from claude_batch.batches.cancel import cancel, cancel_records
from claude_batch.batches.collect_result import CollectResult
from claude_batch.batches.forget import GIVEN_UP, BatchForgetter, adopt_scope
from claude_batch.errors import BadUsage, CannotCollect, SubmitUnclear
from claude_batch.ledger.view import TaskStatus
from claude_batch.sandbox.http_messages import Fault, HttpRequest, fail_calls
from rig import PRICES, Rig, open_rig
from scratch import Work


@pytest.mark.parametrize(
    "change",
    [
        {"ANTHROPIC_API_KEY": "b"},
        {"ANTHROPIC_BASE_URL": "https://gateway.example"},
        {"ANTHROPIC_WORKSPACE_ID": "w"},
        {"ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": "a"},
        {"ANTHROPIC_API_KEY": "", FEDERATION_RULE: "a"},
    ],
)
def test_the_scope_is_of_the_address_the_workspace_and_the_key(change: dict[str, str]) -> None:
    mine = {"ANTHROPIC_API_KEY": "a"}
    same = {"ANTHROPIC_API_KEY": " a\n", "ANTHROPIC_BASE_URL": "https://api.anthropic.com/"}
    assert key_scope(mine) == key_scope(same)
    local = [{"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}/v1"} for port in (4000, 4001)]
    assert key_scope(mine | local[0]) == key_scope(mine | local[1]) != key_scope(mine)
    assert key_scope(mine) != key_scope(mine | change)
    assert len(key_scope(mine)) == 16
    assert int(key_scope(mine), 16)


@pytest.fixture
def rig(work: Work) -> Iterator[Rig]:
    with open_rig(work.path, seconds=60) as made:
        yield made


def send(rig: Rig) -> str:
    return str(rig.submit(rig.given({"path": "a.py", "text": "a\n"})).sent[0].id)


def other_key(rig: Rig) -> AnthropicClient:
    environ = {"ANTHROPIC_API_KEY": "other", "ANTHROPIC_BASE_URL": rig.server.url}
    return AnthropicClient(environ, sleep=rig.slept.append)


def forget(rig: Rig, *names: str) -> list[tuple[str, str]]:
    forgetter = BatchForgetter([rig.ledger], rig.claude, PRICES, "run-1", rig.clock)
    return [(str(name), status) for name, status in forgetter.forget(names)]


def collect_with(rig: Rig, client: AnthropicClient) -> CollectResult:
    rig.claude, own = client, rig.claude
    try:
        return rig.collect()
    finally:
        rig.claude = own


def test_an_intent_records_its_scope(rig: Rig) -> None:
    send(rig)
    (record,) = rig.view.open_batches()
    assert record.intent.scope == rig.claude.key_scope


def test_another_key_leaves_the_batch_alone(rig: Rig) -> None:
    name, other = send(rig), other_key(rig)
    rig.clock.forward(minutes=5)
    calls = len(rig.server.log)
    done = collect_with(rig, other)
    assert dict(done.batches) == {name: "in_progress"}
    assert f"batch {name} was sent with another key" in done.notes[0]
    assert rig.claude.key_scope in done.notes[0]
    assert done.errors == ()
    subject = rig.given({"path": "a.py", "text": "a\n"})
    assert rig.view.task_status(subject.tasks[0].id) is TaskStatus.IN_FLIGHT
    with pytest.raises(BadUsage, match="another key"):
        cancel([rig.ledger], other, [name], "run-1", rig.clock)
    assert cancel([rig.ledger], other, [], "run-1", rig.clock) == []
    assert len(rig.server.log) == calls, "nothing is asked about it"
    assert dict(rig.collect().batches) == {name: "collected"}


def test_a_wait_is_not_for_batches_of_another_key(rig: Rig) -> None:
    send(rig)
    rig.claude = other_key(rig)
    pauses: list[float] = []
    rig.collector().wait(pauses.append, lambda progress: None)
    assert pauses == []


def test_a_doubtful_intent_is_looked_for_by_its_own_key(work: Work) -> None:
    lost = fail_calls("POST", "/batches", Fault(502, after=True))
    with open_rig(work.path, faults=lost) as rig:
        with pytest.raises(SubmitUnclear):
            send(rig)
        other = other_key(rig)
        for _ in range(4):
            rig.clock.forward(hours=5)
            collect_with(rig, other)
        assert len(rig.view.open_batches()) == 1, "it is not taken for lost"
        rig.collect()
        assert [status for _, status in rig.collect().batches] in ([], ["collected"])
        assert rig.view.open_batches() == []


def test_26_hours_later_anyone_may_give_it_up(rig: Rig) -> None:
    name = send(rig)
    rig.claude = other_key(rig)
    rig.clock.forward(hours=25, minutes=59)
    with pytest.raises(BadUsage, match="another key"):
        forget(rig, name)
    assert "gives it up" not in rig.collect().notes[0]
    rig.clock.forward(minutes=2)
    assert f"`claude-batch cancel --forget {name}` gives it up" in rig.collect().notes[0]
    (request,) = rig.view.requests
    assert forget(rig, name) == [(name, "lost")]
    (row,) = rig.view.requests
    assert row.answer
    assert row.answer.error == GIVEN_UP
    assert "possibly paid twice" in GIVEN_UP
    assert request.charge() == request.request.estimate.usd_max
    assert row.charge() == row.request.estimate.usd, "its reservation ends"
    assert rig.submit(rig.given({"path": "a.py", "text": "a\n"})).plan.new == 1


def test_after_a_rotation_the_new_key_adopts_the_batches_of_the_old(rig: Rig) -> None:
    name, old = send(rig), rig.claude.key_scope
    rig.claude = other_key(rig)
    rig.clock.forward(minutes=5)
    new = rig.claude.key_scope
    assert adopt_scope([rig.ledger], "0" * 16, new, "run-1") == []
    assert adopt_scope([rig.ledger], old, new, "run-1") == [name]
    assert adopt_scope([rig.ledger], old, new, "run-1") == []
    assert dict(rig.collect().batches) == {name: "collected"}


class TestABatchThatTheApiDoesNotHave:
    @pytest.fixture
    def gone(self) -> list[str]:
        return []

    @pytest.fixture
    def rig(self, work: Work, gone: list[str]) -> Iterator[Rig]:
        def faults(call: HttpRequest) -> Fault | None:
            is_gone = any(call.path.endswith(name) for name in gone)
            return Fault(404, "not_found_error") if is_gone else None

        with open_rig(work.path, faults=faults) as made:
            yield made

    @pytest.mark.parametrize("end", ["", "/results"])
    def test_it_can_be_given_up(self, rig: Rig, gone: list[str], end: str) -> None:
        name = send(rig)
        gone.append(name + end)
        note = rig.collect().notes[0]
        assert f"`claude-batch cancel --forget {name}`" in note
        assert forget(rig, name) == [(name, "lost")]
        assert rig.view.open_batches() == []
        (record,) = rig.view.batch_records.values()
        assert record.status(rig.clock.at) == "lost"
        (row,) = rig.view.requests
        assert row.charge() == row.request.estimate.usd
        assert rig.collect().batches == (), "a wait ends"

    def test_what_is_there_is_not_given_up(self, rig: Rig) -> None:
        name = send(rig)
        with pytest.raises(BadUsage, match=f"the API has batch {name}: ended"):
            forget(rig, name)
        with pytest.raises(BadUsage, match="no open batch"):
            forget(rig, "msgbatch_unknown")

    def test_one_that_cannot_be_canceled_does_not_keep_the_others(
        self, work: Work, gone: list[str]
    ) -> None:
        def faults(call: HttpRequest) -> Fault | None:
            is_gone = any(name in call.path for name in gone)
            return Fault(404, "not_found_error") if is_gone else None

        with open_rig(work.path, faults=faults, seconds=600) as rig:
            bad = send(rig)
            good = str(rig.submit(rig.given({"path": "b.py", "text": "b\n"})).sent[0].id)
            gone.append(bad)
            batches = [record.submitted for record in rig.view.open_batches() if record.submitted]
            with pytest.raises(CannotCollect, match="404"):
                cancel_records(rig.ledger, rig.claude, batches, "run-1", rig.clock)
            states = {r.name: r.status(rig.clock.at) for r in rig.view.open_batches()}
            assert states == {bad: "in_progress", good: "canceling"}
