from datetime import date
from decimal import Decimal

import pytest

from claude_batch.anthropic_api.results import Usage
from claude_batch.costs.estimates import (
    estimate_input_tokens,
    estimate_request,
    max_input_tokens,
    max_tokens,
    sum_estimates,
)
from claude_batch.costs.prices import Prices
from claude_batch.errors import BadConfig
from claude_batch.ledger.events import Estimate

TODAY = date(2026, 11, 22)
PRICES = Prices.load()


def made(model: str = "claude-sonnet-5-5", effort: str | None = "medium", **more: int) -> Estimate:
    sizes = {"chars": 22_000, "tasks": 4} | more
    return estimate_request(PRICES, model, effort, at=TODAY, batch=True, **sizes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("chars", "model", "tokens"),
    [
        (0, "claude-sonnet-5-5", 0),
        (1, "claude-sonnet-5-5", 1),
        (22, "claude-sonnet-5-5", 10),
        (23, "claude-opus-4-7", 11),
        (27, "claude-opus-4-6", 10),
        (28, "claude-haiku-4-5-20251001", 11),
        (27, "claude-sonnet-4-6", 10),
        (27, "claude-sonnet-5", 13),
    ],
)
def test_tokens_of_characters_by_tokenizer(chars: int, model: str, tokens: int) -> None:
    assert estimate_input_tokens(chars, model) == tokens


def test_the_reserve_is_for_the_densest_text() -> None:
    assert [max_input_tokens(chars) for chars in (0, 1, 17, 18)] == [0, 1, 10, 11]


def test_an_estimate_to_the_last_digit() -> None:
    """Medium effort: 550 output tokens, and as many for each 4,000 bytes and for 30 tasks."""
    assert made() == Estimate(
        input_tokens=10_000,
        output_tokens=3_649,  # 550 + 3,025 + 74
        usd=Decimal("0.028245"),  # half of 10,000 × $2 + 3,649 × $10, per million
        usd_standard=Decimal("0.05649"),
        # 12,942 in and 3 × 3,649 = 10,947 out
        usd_max=Decimal("0.067677"),
    )


def test_a_limit_that_the_request_has_is_what_is_reserved() -> None:
    assert made(output_limit=1_000).usd_max == Decimal("0.017942")


def test_a_prompt_that_may_be_long_reserves_the_long_rate() -> None:
    """95,455 tokens expected, 123,530 at most: only the reserve is beyond Haiku's tier."""
    found = made("claude-haiku-5-5", chars=210_000, tasks=1)
    assert found.output_tokens == 550 + 28_875 + 19
    most = Usage(input=123_530, output=64_000)
    assert found.usd_max == PRICES.cost("claude-haiku-5-5", most, at=TODAY, batch=True).usd
    assert found.usd_max > found.usd * 5


def test_the_limit_grows_with_chars_tasks_and_effort_up_to_what_all_models_take() -> None:
    assert max_tokens(0, 1, "low") == 4_096 + 300 + 10
    assert max_tokens(4_000, 1, "low") == 4_096 + 300 + 300 + 10
    assert max_tokens(0, 2, "low") == 4_096 + 300 + 20
    assert max_tokens(40_000, 30, "low") == 3 * (300 + 3_000 + 300)
    assert max_tokens(40_000, 30, "low", factor=4) == 4 * 3 * 3_600
    efforts = ["low", "medium", "high", "xhigh", "max"]
    assert sorted(efforts, key=lambda effort: max_tokens(0, 1, effort)) == efforts
    assert max_tokens(0, 1, None) == max_tokens(0, 1, "high")
    assert max_tokens(0, 1_000, "max") == max_tokens(0, 1_000, "max", factor=4) == 64_000


def test_a_total_is_the_sum_and_nothing_is_zero() -> None:
    one = made()
    assert sum_estimates([one, one]).usd_max == one.usd_max * 2
    assert sum_estimates([one, one]).input_tokens == 20_000
    assert sum_estimates([]) == Estimate(
        input_tokens=0,
        output_tokens=0,
        usd=Decimal(0),
        usd_standard=Decimal(0),
        usd_max=Decimal(0),
    )


def test_without_a_price_there_is_no_estimate() -> None:
    with pytest.raises(BadConfig, match="no price is known"):
        made("claude-opus-9")
