from datetime import UTC, datetime
from decimal import Decimal

import pytest

from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.results import Outcome, Usage
from claude_batch.costs.prices import Prices
from claude_batch.costs.receipts import Receipt, build_receipt
from claude_batch.formatting import dollars
from claude_batch.ledger.events import AnswerRecorded, FoldedRequest, IntentId
from claude_batch.tasks.task import TaskId

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
PRICES = Prices.load()
CACHED = Usage(input=1_000, output=300, cache_read=9_000, cache_write_1h=500, cache_write_5m=50)


def answered(
    model: str | None, usage: Usage | None, batch: bool = True, priced: bool = True
) -> AnswerRecorded:
    cost = None
    if model and usage and priced:
        cost = PRICES.cost(model, usage, at=NOW, batch=batch)
    return AnswerRecorded(
        at=NOW,
        run="r",
        repo="o/r",
        intent=IntentId("i"),
        n=0,
        batch=BatchId("msgbatch_1") if batch else None,
        outcome=Outcome.SUCCEEDED if usage else Outcome.EXPIRED,
        model=model,
        usage=usage,
        usd=cost.usd if cost else None,
        usd_standard=cost.usd_standard if cost else None,
    )


def test_nothing_costs_nothing() -> None:
    assert build_receipt([]) == Receipt()


def test_a_receipt_is_the_sum_of_what_was_recorded() -> None:
    """Haiku in a batch, Sonnet at once, and a request that expired unbilled."""
    made = build_receipt(
        [
            answered("claude-haiku-5-5", Usage(input=10_000, output=1_500)),
            answered("claude-sonnet-5-5", Usage(input=1_000, output=100), batch=False),
            answered(None, None),
        ],
        reused_usd=Decimal("0.25"),
    )
    assert made == Receipt(
        usd=Decimal("0.003875"),  # 0.000875 + 0.003
        usd_standard=Decimal("0.00475"),
        saved_by_batch=Decimal("0.000875"),
        saved_by_cache=Decimal(0),
        saved_by_dedupe=Decimal("0.25"),
        input_tokens=11_000,
        output_tokens=1_600,
        models=("claude-haiku-5-5", "claude-sonnet-5-5"),
        requests=3,
    )
    assert made.saved_usd == Decimal("0.000875")


@pytest.mark.parametrize("batch", [True, False])
def test_the_savings_are_those_of_the_price_list(batch: bool) -> None:
    cost = PRICES.cost("claude-opus-5-5", CACHED, at=NOW, batch=batch)
    made = build_receipt([answered("claude-opus-5-5", CACHED, batch)])
    assert made.saved_by_batch == cost.saved_by_batch
    assert made.saved_by_cache == cost.saved_by_cache
    assert made.saved_usd == made.saved_by_batch + made.saved_by_cache
    assert (made.cache_read_tokens, made.cache_write_tokens) == (9_000, 550)


def test_an_answer_without_a_price_is_counted_and_not_taken_for_free() -> None:
    made = build_receipt([answered("claude-next", Usage(input=5), priced=False)])
    assert (made.unpriced, made.usd, made.input_tokens) == (1, Decimal(0), 5)
    assert made.models == ("claude-next",)


@pytest.mark.parametrize(("lane", "by_batch"), [("batch", "0.01"), ("now", "0")])
def test_a_settled_row_counts_like_an_answer(lane: str, by_batch: str) -> None:
    row = FoldedRequest.model_validate(
        {
            "at": NOW,
            "run": "r",
            "repo": "o/r",
            "intent": "i",
            "n": 0,
            "pr": 7,
            "kind": "review",
            "model": "claude-sonnet-5-5",
            "lane": lane,
            "outcome": "succeeded",
            "tasks": (TaskId("t"),),
            "usage": Usage(input=10_000),
            "usd": "0.01",
            "usd_standard": "0.02",
            "usd_estimated": "0.01",
        }
    )
    assert build_receipt([row]).saved_by_batch == Decimal(by_batch)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"),
        ("0.00001", "<$0.0001"),
        ("0.00005", "$0.0001"),
        ("0.0123", "$0.0123"),
        ("0.09999", "$0.1000"),
        ("0.10", "$0.10"),
        ("0.105", "$0.11"),
        ("1234567.891", "$1,234,567.89"),
        ("-0.5", "-$0.50"),
        ("-0.0125", "-$0.0125"),
        ("-0.00001", "-<$0.0001"),
    ],
)
def test_dollars_for_people(amount: str, shown: str) -> None:
    assert dollars(Decimal(amount)) == shown
