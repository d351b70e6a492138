"""Negotiated rates over the shipped table."""

from datetime import date
from decimal import Decimal

import pytest

from claude_batch.anthropic_api.results import Usage
from claude_batch.config.loader import parse_config
from claude_batch.costs.custom_rates import apply_custom_rates
from claude_batch.costs.prices import Prices
from claude_batch.errors import BadConfig

LISTED = Prices.load()
TODAY = date(2026, 11, 22)
EACH = Usage(input=1_000, output=100, cache_read=10, cache_write_5m=20, cache_write_1h=30)


def prices(toml: str) -> Prices:
    return apply_custom_rates(LISTED, parse_config(".claude-batch.toml", toml.encode()).prices)


def usd(found: Prices, model: str, usage: Usage = EACH, at: date = TODAY) -> Decimal:
    return found.cost(model, usage, at=at, batch=False).usd


def test_without_a_deal_the_table_is_the_table() -> None:
    assert apply_custom_rates(LISTED, {}) is LISTED


def test_a_named_class_has_its_own_rate_and_the_others_keep_theirs() -> None:
    """Opus 5.5 lists 4, 20, 0.20, 5 and 8."""
    found = prices("prices.claude-opus-5-5 = { input = 3.60, output = 17 }")
    expected = (3_600 + 1_700 + 2 + 100 + 240) * Decimal("1e-6")
    assert usd(found, "claude-opus-5-5") == expected
    assert usd(found, "claude-opus-5") == usd(LISTED, "claude-opus-5")


def test_a_discount_is_taken_off_what_is_not_named() -> None:
    found = prices("prices.claude-opus-5-5 = { output = 19, discount = 0.25 }")
    off = (4_000 + 2 + 100 + 240) * Decimal("0.75") + 1_900
    assert usd(found, "claude-opus-5-5") == off * Decimal("1e-6")


def test_a_long_prompt_keeps_its_proportion() -> None:
    """Haiku 5.5 is five times as dear above 100,000 tokens."""
    found = prices("prices.claude-haiku-5-5 = { input = 0.09, discount = 0.10 }")
    assert usd(found, "claude-haiku-5-5", Usage(input=100_000)) == Decimal("0.009")
    assert usd(found, "claude-haiku-5-5", Usage(input=200_000)) == Decimal("0.09")
    assert usd(found, "claude-haiku-5-5", Usage(input=200_000, output=1_000)) == Decimal("0.09225")


def test_each_period_is_negotiated_by_itself() -> None:
    found = prices("prices.claude-sonnet-5-5.discount = 0.5")
    read = Usage(cache_read=1_000_000)
    assert usd(found, "claude-sonnet-5-5", read, date(2026, 10, 6)) == Decimal("0.10")
    assert usd(found, "claude-sonnet-5-5", read, date(2026, 10, 7)) == Decimal("0.05")


def test_a_deal_for_an_alias_is_one_for_its_model() -> None:
    found = prices("prices.claude-haiku-4-5.input = 0.5")
    assert usd(found, "claude-haiku-4-5-20251001", Usage(input=2)) == Decimal("0.000001")
    assert usd(found, "claude-haiku-4-5", Usage(input=2)) == Decimal("0.000001")


def test_a_batch_is_half_of_what_was_negotiated() -> None:
    found = prices("prices.claude-opus-5-5.input = 3")
    made = found.cost("claude-opus-5-5", Usage(input=1_000_000), at=TODAY, batch=True)
    assert (made.usd, made.usd_standard) == (Decimal("1.5"), Decimal(3))


WHOLE = "input = 1, output = 5, cache_read = 0.1, cache_write_5m = 1.25, cache_write_1h = 2"


def test_a_model_that_the_table_does_not_have_is_priced_in_full() -> None:
    found = prices(f"prices.claude-next-1 = {{ {WHOLE} }}")
    assert usd(found, "claude-next-1", Usage(input=3)) == Decimal("0.000003")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("claude-sonet-5-5", "did you mean claude-sonnet-5-5?"),
        ("gpt", "give all five classes, or the name of a listed model"),
    ],
)
def test_one_that_is_neither_is_an_error(name: str, remedy: str) -> None:
    with pytest.raises(BadConfig) as caught:
        prices(f"prices.{name} = {{ input = 1, output = 2, cache_read = 3 }}")
    assert caught.value.problem == (
        f"`prices` names {name!r}, which the table of 2026-11-22 does not have, and leaves out "
        "cache_write_5m, cache_write_1h"
    )
    assert caught.value.remedy == remedy


def test_a_deal_may_carry_no_zero_and_no_text() -> None:
    for amount in ("0", '"3"', "nan", "inf"):
        with pytest.raises(BadConfig, match=r"`prices\.claude-opus-5-5\.input` is"):
            prices(f"prices.claude-opus-5-5.input = {amount}")
