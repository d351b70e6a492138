"""Recorded `usage` objects, from the result line to the receipt, each figure to the last digit."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from claude_batch.anthropic_api.results import parse_result_line
from claude_batch.batches.batching import custom_id
from claude_batch.batches.record_answers import AnswerRecorder
from claude_batch.cli.output.receipt import receipt_lines
from claude_batch.config.loader import parse_config
from claude_batch.costs.custom_rates import apply_custom_rates
from claude_batch.costs.prices import Prices
from claude_batch.costs.receipts import Receipt, build_receipt
from claude_batch.findings.parsing import validate_review
from claude_batch.ledger.events import AnswerRecorded
from claude_batch.ledger.view import LedgerState
from ledger_events import asked, intent, submitted

RECORDINGS = Path(__file__).parents[1] / "recordings"
THEN = datetime(2026, 11, 22, 12, tzinfo=UTC)
LISTED = Prices.load()
# What the two retired models of the recordings cost when they were recorded.
RETIRED = b"""
[prices."claude-3-5-sonnet-20241022"]
input = 3
output = 15
cache_read = 0.30
cache_write_5m = 3.75
cache_write_1h = 6
[prices."claude-3-7-sonnet-20250219"]
input = 3
output = 15
cache_read = 0.30
cache_write_5m = 3.75
cache_write_1h = 6
"""


def capitals() -> list[dict[str, object]]:
    state = json.loads((RECORDINGS / "state-capitals-anthropic.json").read_text())
    return list(state["results"])


def cassette(name: str) -> list[dict[str, object]]:
    """The results of the batch that a cassette has recorded."""
    bodies = [
        row["response"]["body"]["string"]
        for row in yaml.safe_load((RECORDINGS / name).read_text())["interactions"]
        if row["request"]["uri"].endswith("/results")
    ]
    return [json.loads(line)["result"] for line in bodies[0].splitlines() if line.strip()]


def single() -> list[dict[str, object]]:
    line = json.loads((RECORDINGS / "msgbatch_01YFCujNum1PSgW5xSjfsSt2_0.json").read_bytes())
    return [line["result"]]


def answers(results: Iterable[object], prices: Prices = LISTED) -> list[AnswerRecorded]:
    """As `collect` records them when each one answers a request of ours."""
    found = list(results)
    asks = [asked("i1", n, f"t{n}") for n in range(len(found))]
    view = LedgerState.from_events([intent("i1", requests=len(found)), *asks, submitted("i1")])
    lines = (
        json.dumps({"custom_id": custom_id(one.intent, one.n, one.sha), "result": result}).encode()
        for one, result in zip(asks, found, strict=True)
    )
    recorder = AnswerRecorder(view.batch_records[asks[0].intent], prices, THEN, "run-2")
    written = recorder.record_final(
        view, [parse_result_line(line, validate_review) for line in lines]
    )
    return [event for event in written.events if isinstance(event, AnswerRecorded)]


def test_four_answers_of_sonnet_5() -> None:
    """98 tokens in at $2 and 24 out at $10, halved."""
    assert build_receipt(answers(capitals())) == Receipt(
        usd=Decimal("0.000218"),
        usd_standard=Decimal("0.000436"),
        saved_by_batch=Decimal("0.000218"),
        saved_by_cache=Decimal(0),
        input_tokens=98,
        output_tokens=24,
        models=("claude-sonnet-5",),
        requests=4,
    )


@pytest.mark.parametrize(
    ("results", "tokens", "usd"),
    [
        # (11 + 10 + 10) × 3 + (273 + 259 + 313) × 15 = 12,768, halved, per million
        (cassette("basic_batch_completion.yaml"), (31, 845), "0.006384"),
        # 2,117 × 3 + 82 × 15 = 7,581
        (single(), (2_117, 82), "0.0037905"),
    ],
    ids=["three answers", "a document"],
)
def test_retired_models_with_rates_from_the_configuration(
    results: list[object], tokens: tuple[int, int], usd: str
) -> None:
    prices = apply_custom_rates(LISTED, parse_config(".claude-batch.toml", RETIRED).prices)
    made = build_receipt(answers(results, prices))
    assert (made.input_tokens, made.output_tokens) == tokens
    assert made.usd == made.saved_by_batch == made.saved_usd == Decimal(usd)
    assert made.usd_standard == 2 * Decimal(usd)
    assert (made.saved_by_cache, made.unpriced) == (0, 0)


def test_thinking_is_in_the_output_that_is_billed() -> None:
    recorded = cassette("basic_batch_reasoning_completion.yaml")
    prices = apply_custom_rates(LISTED, parse_config(".claude-batch.toml", RETIRED).prices)
    made = build_receipt(answers(recorded, prices))
    usages = [result["message"]["usage"] for result in recorded]  # type: ignore[index]
    tokens = [sum(one[name] for one in usages) for name in ("input_tokens", "output_tokens")]
    assert (made.input_tokens, made.output_tokens) == tuple(tokens)
    assert made.usd == (tokens[0] * 3 + tokens[1] * 15) * Decimal("0.0000005")


def test_without_those_rates_they_are_unknown_and_not_free() -> None:
    made = build_receipt(answers(cassette("basic_batch_completion.yaml")))
    assert (made.unpriced, made.usd, made.usd_standard) == (3, 0, 0)
    assert (made.input_tokens, made.output_tokens) == (31, 845)
    assert "unknown: 3 answers without a known price or usage" in receipt_lines(made)


def changed(**fields: object) -> list[object]:
    """The first recorded answer with some of its usage by hand."""
    result = json.loads(json.dumps(capitals()[0]))
    result["message"]["usage"] |= fields
    return [result]


def test_each_cache_class_at_its_own_price() -> None:
    """Of Sonnet 5: 26 × 2 + 9,000 × 0.20 + 200 × 2.50 + 300 × 4 + 7 × 10 = 3,622, halved."""
    made = build_receipt(
        answers(
            changed(
                cache_read_input_tokens=9_000,
                cache_creation_input_tokens=500,
                cache_creation={
                    "ephemeral_5m_input_tokens": 200,
                    "ephemeral_1h_input_tokens": 300,
                },
            )
        )
    )
    assert made == Receipt(
        usd=Decimal("0.001811"),
        usd_standard=Decimal("0.019122"),  # 9,526 × 2 + 7 × 10
        saved_by_batch=Decimal("0.001811"),
        saved_by_cache=Decimal("0.0155"),
        input_tokens=26,
        output_tokens=7,
        cache_read_tokens=9_000,
        cache_write_tokens=500,
        models=("claude-sonnet-5",),
        requests=1,
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"input_tokens": -1},
        {"output_tokens": None},
        {"output_tokens": 1.5},
        {"output_tokens": "7"},
        {"cache_read_input_tokens": -9_000},
        {"cache_creation": {"ephemeral_1h_input_tokens": 10**15}},
        {"input_tokens": True},
    ],
    ids=str,
)
def test_a_negative_or_absurd_field_makes_the_answer_unknown(fields: dict[str, object]) -> None:
    (found,) = answers(changed(**fields))
    made = build_receipt([found])
    assert (found.usage, found.usd) == (None, None)
    assert "usage is unusable" in (found.error or "")
    assert (made.unpriced, made.usd, made.requests) == (1, 0, 1)


def test_what_is_unknown_counts_at_its_estimate() -> None:
    (found,) = answers(changed(input_tokens=-1))
    ask = asked("i1", 0, "t0")
    view = LedgerState.from_events([intent("i1"), ask, submitted("i1"), found])
    assert view.spent(datetime(2026, 11, 1, tzinfo=UTC)) == ask.estimate.usd
