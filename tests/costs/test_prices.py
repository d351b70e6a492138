from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_batch.anthropic_api.results import Usage
from claude_batch.costs.prices import Cost, Prices, UnknownModel
from claude_batch.sandbox.anthropic_server.models import CATALOGUE

TODAY = date(2026, 11, 22)
PRICES = Prices.load()
TOKENS = 12_345

# Dollars of 12,345 tokens at standard price, worked out by hand from the published rates:
# input, 5 minute write, 1 hour write, read, output.
HAND = """
claude-fable-5-2            0.09876   0.12345    0.19752  0.002469   0.4938
claude-mythos-5-2           0.09876   0.12345    0.19752  0.002469   0.4938
claude-fable-5-1            0.12345   0.1543125  0.2469   0.00308625 0.61725
claude-mythos-5-1           0.12345   0.1543125  0.2469   0.00308625 0.61725
claude-fable-5              0.12345   0.1543125  0.2469   0.012345   0.61725
claude-mythos-5             0.12345   0.1543125  0.2469   0.012345   0.61725
claude-opus-5-5             0.04938   0.061725   0.09876  0.002469   0.2469
claude-opus-5               0.061725  0.07715625 0.12345  0.0061725  0.308625
claude-opus-4-8             0.061725  0.07715625 0.12345  0.0061725  0.308625
claude-opus-4-7             0.061725  0.07715625 0.12345  0.0061725  0.308625
claude-opus-4-6             0.061725  0.07715625 0.12345  0.0061725  0.308625
claude-opus-4-5-20251101    0.061725  0.07715625 0.12345  0.0061725  0.308625
claude-sonnet-5-5           0.02469   0.0308625  0.04938  0.0012345  0.12345
claude-sonnet-5             0.02469   0.0308625  0.04938  0.002469   0.12345
claude-sonnet-4-6           0.037035  0.04629375 0.07407  0.0037035  0.185175
claude-sonnet-4-5-20250929  0.037035  0.04629375 0.07407  0.0037035  0.185175
claude-haiku-5-5            0.0012345 0.001543125 0.002469 0.00012345 0.0061725
claude-haiku-4-5-20251001   0.012345  0.01543125 0.02469  0.0012345  0.061725
"""
CLASSES = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
CASES = [
    (row.split()[0], name, Decimal(dollars))
    for row in HAND.strip().splitlines()
    for name, dollars in zip(CLASSES, row.split()[1:], strict=True)
]


def cost(model: str, at: date = TODAY, batch: bool = True, **tokens: int) -> Cost:
    return PRICES.cost(model, Usage(**tokens), at=at, batch=batch)


def test_every_model_has_a_row() -> None:
    assert {model for model, _, _ in CASES} == set(PRICES.models)


@pytest.mark.parametrize(("model", "name", "dollars"), CASES)
def test_each_class_costs_its_rate_and_half_of_it_in_a_batch(
    model: str, name: str, dollars: Decimal
) -> None:
    assert cost(model, batch=False, **{name: TOKENS}).usd == dollars
    assert cost(model, batch=True, **{name: TOKENS}).usd * 2 == dollars


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("claude-haiku-5-5", "0.000875"),
        ("claude-sonnet-5-5", "0.0175"),
        ("claude-opus-5-5", "0.035"),
        ("claude-fable-5-2", "0.07"),
    ],
)
def test_ten_thousand_in_and_fifteen_hundred_out(model: str, dollars: str) -> None:
    assert cost(model, input=10_000, output=1_500).usd == Decimal(dollars)


@pytest.mark.parametrize(
    ("name", "dollars"),
    [
        ("input", "0.0500005"),
        ("cache_write_5m", "0.062500625"),
        ("cache_write_1h", "0.100001"),
        ("cache_read", "0.00500005"),
    ],
)
def test_a_long_prompt_of_haiku_costs_more_in_every_class(name: str, dollars: str) -> None:
    """100,001 tokens of one class are a long prompt, 100,000 are not; output follows."""
    long = cost("claude-haiku-5-5", batch=False, output=1_000, **{name: 100_001})
    assert long.usd == Decimal(dollars) + Decimal("0.0025")
    short = cost("claude-haiku-5-5", batch=False, output=1_000, **{name: 100_000})
    assert short.usd == (Decimal(dollars) * 100_000 / 100_001) / 5 + Decimal("0.0005")


def test_the_classes_of_a_prompt_count_together_for_the_tier() -> None:
    made = cost(
        "claude-haiku-5-5", input=50_000, cache_read=25_000, cache_write_1h=25_001, batch=False
    )
    assert made.usd == Decimal("0.025") + Decimal("0.00125") + Decimal("0.025001")


@pytest.mark.parametrize(
    ("at", "dollars"),
    [
        (date(2026, 1, 1), "0.2"),  # before the model: the oldest price that is known
        (date(2026, 10, 6), "0.2"),
        (date(2026, 10, 7), "0.1"),
        (datetime(2026, 10, 6, 23, 59, tzinfo=UTC), "0.2"),
        (datetime(2026, 10, 6, 23, 59, tzinfo=timezone(-timedelta(hours=5))), "0.1"),
    ],
)
def test_a_price_holds_from_its_day_in_utc(at: date, dollars: str) -> None:
    made = cost("claude-sonnet-5-5", at=at, batch=False, cache_read=1_000_000)
    assert made.usd == Decimal(dollars)


@pytest.mark.parametrize("alias", ["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"])
def test_an_alias_costs_what_its_model_costs(alias: str) -> None:
    (model,) = [name for name, entry in PRICES.models.items() if alias in entry.aliases]
    assert cost(alias, input=7, output=7) == cost(model, input=7, output=7)


def test_what_a_cache_and_a_batch_save() -> None:
    """9,000 read and 1,000 written for an hour, of Sonnet 5.5 in a batch."""
    made = cost("claude-sonnet-5-5", cache_read=9_000, cache_write_1h=1_000, output=100)
    assert made.usd_standard == Decimal("0.021")  # 10,000 × $2 + 100 × $10, per million
    assert made.saved_by_cache == Decimal("0.0151")  # 0.021 − (0.0009 + 0.004 + 0.001)
    assert made.saved_by_batch == Decimal("0.00295")
    assert made.usd == Decimal("0.00295")


def test_writes_that_nobody_read_cost_more_than_no_cache() -> None:
    made = cost("claude-sonnet-5-5", cache_write_1h=1_000, batch=False)
    assert made.saved_by_cache == Decimal("-0.002")
    assert made.saved_by_batch == 0


def test_the_newest_price_is_younger_than_half_a_year() -> None:
    """The one test that reads the clock: a table that nobody looks at turns wrong by itself."""
    age = datetime.now(UTC).date() - PRICES.as_of
    assert age < timedelta(days=180), (
        f"prices.json is of {PRICES.as_of}: compare it with the page that it names, then set as_of"
    )


def test_thinking_is_part_of_the_output_and_not_billed_again() -> None:
    assert cost("claude-opus-5-5", output=500, thinking=400) == cost("claude-opus-5-5", output=500)


def test_an_unknown_model_is_an_error_and_never_free() -> None:
    with pytest.raises(UnknownModel) as caught:
        cost("claude-sonet-5-5", input=1)
    assert caught.value.problem == (
        "no price is known for the model 'claude-sonet-5-5' (prices as of 2026-11-22)"
    )
    assert caught.value.remedy == "did you mean claude-sonnet-5-5?"
    with pytest.raises(UnknownModel) as caught:
        cost("gpt", input=1)
    assert caught.value.remedy.startswith("name one of claude-fable-5, claude-fable-5-1, ")


COUNTS = st.integers(0, 2_000_000)
USAGES = st.builds(
    Usage,
    input=COUNTS,
    output=COUNTS,
    cache_read=COUNTS,
    cache_write_5m=COUNTS,
    cache_write_1h=COUNTS,
)
MODELS = st.sampled_from(sorted(PRICES.models))


@settings(deadline=None)
@given(MODELS, USAGES, st.dates(date(2025, 1, 1), date(2027, 1, 1)))
def test_a_batch_costs_exactly_half_and_the_parts_sum_up(
    model: str, usage: Usage, at: date
) -> None:
    full = PRICES.cost(model, usage, at=at, batch=False)
    half = PRICES.cost(model, usage, at=at, batch=True)
    assert half.usd + half.usd == full.usd
    assert half.usd_standard == full.usd_standard
    assert half.saved_by_cache == full.saved_by_cache
    for made in (full, half):
        assert made.usd + made.saved_by_batch + made.saved_by_cache == made.usd_standard


def test_the_sandbox_caches_no_shorter_prefix_than_the_table_says() -> None:
    least = {name: PRICES.cache_minimum(name) for name in CATALOGUE}
    assert least == {name: model.cache_minimum for name, model in CATALOGUE.items()}
    assert all(entry.cache_minimum for entry in PRICES.models.values())
    assert PRICES.cache_minimum("claude-opus-4-5") == 4096, "by its alias"
    assert PRICES.cache_minimum("claude-opus-9") is None
