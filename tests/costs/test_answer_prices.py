"""The price of an answer that names another model, region or tier than was asked for."""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

import pytest

from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.results import Outcome, Usage
from claude_batch.costs.prices import Prices
from claude_batch.ledger.events import AnswerRecorded
from claude_batch.sandbox.http_messages import Fault, HttpRequest
from rig import Rig, open_rig
from scratch import Work

PRICES = Prices.load()
TOKENS = {"input_tokens": 1_000_000, "output_tokens": 100_000}
IN_BATCH = Decimal("1.5")  # $1 of input and $0.50 of output

Answer = Callable[[Mapping[str, object]], AnswerRecorded]


@pytest.fixture
def answer(work: Work) -> Iterator[Answer]:
    """`answer(fields)`: the recorded answer whose message has these fields."""
    bodies: list[bytes] = []

    def changed(call: HttpRequest) -> Fault | None:
        return Fault(200, body=bodies[0]) if bodies and call.path.endswith("/results") else None

    with open_rig(work.path, faults=changed) as rig:

        def make(fields: Mapping[str, object]) -> AnswerRecorded:
            (sent,) = rig.submit(rig.given({"path": "a.py", "text": "a\n"})).sent
            (line,) = rig.claude.stream_results(BatchId(str(sent.id)))
            row = json.loads(line)
            row["result"]["message"] |= {"usage": TOKENS, **fields}
            bodies.append(json.dumps(row).encode())
            done = rig.collect()
            assert done.receipt.usd_standard == done.receipt.usd + done.receipt.saved_usd
            (recorded,) = done.answers
            make_receipt_exact(rig, recorded)
            return recorded

        yield make


def make_receipt_exact(rig: Rig, recorded: AnswerRecorded) -> None:
    spent = rig.view.spent(rig.view.plans[0].at)
    assert recorded.usd is None or spent == recorded.usd


@pytest.mark.parametrize(
    "name",
    [
        "claude-sonnet-5-5-20260928",
        "claude-sonnet-5-5@20260928",
        "claude-sonnet-5-5@2026-09-28",
        "claude-sonnet-5-5-latest",
        "gateway/claude-sonnet-5-5",
        "Vertex/Anthropic/Claude-Sonnet-5-5@20260928",
        "us.anthropic.claude-sonnet-5-5-20260928-v1:0",
        "anthropic/claude-sonnet-5-5:beta",
    ],
)
def test_a_snapshot_or_a_gateways_spelling_has_the_price_of_the_model(
    answer: Answer, name: str
) -> None:
    recorded = answer({"model": name})
    assert (recorded.usd, recorded.model) == (IN_BATCH, "claude-sonnet-5-5")
    assert recorded.error == (
        f"the answer names the model {name!r}, and is priced as claude-sonnet-5-5"
    )
    assert recorded.outcome is Outcome.SUCCEEDED


def test_another_model_has_its_own_price(answer: Answer) -> None:
    recorded = answer({"model": "gateway/claude-opus-5-5"})
    assert (recorded.usd, recorded.model) == (2 * IN_BATCH, "claude-opus-5-5")


@pytest.mark.parametrize("name", ["claude-sonnet-5-7", "claude-sonnet-5-5-turbo", "gateway/other"])
def test_an_unknown_model_is_not_priced_as_a_similar_one(answer: Answer, name: str) -> None:
    recorded = answer({"model": name})
    assert (recorded.usd, recorded.model) == (None, name)


def test_the_name_of_a_gateway_that_was_asked_for() -> None:
    assert PRICES.priced_model("model", "gateway/model")[0] == "gateway/model"
    assert PRICES.priced_model(None, "gateway/model") == ("gateway/model", None)


def test_inference_in_the_us_costs_a_tenth_more(answer: Answer) -> None:
    recorded = answer({"usage": {**TOKENS, "inference_geo": "us"}})
    assert recorded.usd == IN_BATCH * Decimal("1.1")
    assert recorded.usd_standard == 2 * IN_BATCH * Decimal("1.1")


@pytest.mark.parametrize("region", ["global", "not_available", None, 7])
def test_elsewhere_it_does_not(answer: Answer, region: object) -> None:
    assert answer({"usage": {**TOKENS, "inference_geo": region}}).usd == IN_BATCH


def test_the_standard_tier_in_a_batch_has_no_discount(answer: Answer) -> None:
    recorded = answer({"usage": {**TOKENS, "service_tier": "standard"}})
    assert recorded.usd == recorded.usd_standard == 2 * IN_BATCH


def test_no_discount_is_not_a_saving(answer: Answer) -> None:
    recorded = answer({"usage": {**TOKENS, "service_tier": "standard"}})
    cost = PRICES.cost(
        "claude-sonnet-5-5", recorded.usage or Usage(), at=recorded.at.date(), batch=True
    )
    assert cost.saved_by_batch == 0


REFUSAL = {"stop_reason": "refusal", "content": []}


@pytest.mark.parametrize(("output", "usd"), [(0, Decimal(0)), (100_000, IN_BATCH)])
def test_a_refusal_before_any_output_is_free(answer: Answer, output: int, usd: Decimal) -> None:
    recorded = answer({**REFUSAL, "usage": {**TOKENS, "output_tokens": output}})
    assert (recorded.outcome, recorded.usd) == (Outcome.REFUSED, usd)


def test_an_unreadable_answer_ends_its_reservation(work: Work) -> None:
    odd = Fault(200, body=b"")

    def no_usage(call: HttpRequest) -> Fault | None:
        return odd if call.path.endswith("/results") else None

    with open_rig(work.path, faults=no_usage) as rig:
        rig.submit(rig.given({"path": "a.py", "text": "a\n"}))
        (record,) = rig.view.requests
        name = f"{record.request.intent}-0-{record.request.sha[:16]}"
        message = {"content": [], "stop_reason": "end_turn", "usage": {"input_tokens": -1}}
        row = {"custom_id": name, "result": {"type": "succeeded", "message": message}}
        odd = Fault(200, body=json.dumps(row).encode())
        estimate = record.request.estimate
        since = rig.view.plans[0].at
        assert rig.view.spent(since) == estimate.usd_max, "while it is open"
        done = rig.collect()
        assert [answer.outcome for answer in done.answers] == [Outcome.UNREADABLE]
        assert rig.view.spent(since) == estimate.usd
        assert (done.receipt.usd, done.receipt.unpriced) == (0, 1), "marked, and not called paid"
