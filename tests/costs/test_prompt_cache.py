"""Tests of the decision to cache the shared start of requests."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_batch.anthropic_api.results import Usage
from claude_batch.costs import estimates
from claude_batch.costs.prompt_cache import (
    ASSUMED_HIT_RATE,
    HISTORY,
    MIN_SAVING,
    CachedPrefix,
    CachePricing,
    measure_hit_rate,
    plan_cached_prefixes,
)
from claude_batch.ledger.events import AnyEvent
from claude_batch.ledger.usage_history import MAX_SAMPLES, MIN_SAMPLES
from claude_batch.ledger.view import LedgerState
from ledger_events import answered, asked, at, intent, settled
from rig import PRICES

TODAY = at(0).date()
MODEL = "claude-sonnet-5-5"
MODELS = st.sampled_from(sorted(PRICES.models))
SHARES = st.decimals(0, 1, places=2)
TOKENS = st.integers(1, 50_000)
NUMBERS = st.integers(1, 500)


def terms(model: str = MODEL, hits: Decimal = ASSUMED_HIT_RATE) -> CachePricing:
    rates = PRICES.rates(model, at=TODAY, prompt_tokens=0)
    return CachePricing(rates, PRICES.cache_minimum(model), hits, lambda text: len(text) * 100)


class TestSaving:
    def test_by_hand(self) -> None:
        """100 requests of Sonnet share 10,000 tokens. In a batch a million plain ones are a
        dollar, written 2 and read 0.05; so a follower pays 0.64 × 0.05 + 0.36 × 2 = 0.752."""
        assert terms().saving(10_000, 100) == 1 - (Decimal("0.02") + 99 * Decimal("0.00752"))

    @given(MODELS, TOKENS, NUMBERS, SHARES)
    def test_it_is_the_difference_between_two_bills(
        self, model: str, tokens: int, number: int, hits: Decimal
    ) -> None:
        def bill(**classes: int) -> Decimal:
            return PRICES.rates(model, at=TODAY, prompt_tokens=0).cost(Usage(**classes)) / 2

        plain = number * bill(input=tokens)
        follower = hits * bill(cache_read=tokens) + (1 - hits) * bill(cache_write_1h=tokens)
        primed = bill(cache_write_1h=tokens) + (number - 1) * follower
        assert terms(model, hits).saving(tokens, number) == plain - primed

    @given(MODELS, TOKENS, SHARES)
    def test_one_request_never_saves(self, model: str, tokens: int, hits: Decimal) -> None:
        assert terms(model, hits).saving(tokens, 1) < 0

    @given(MODELS, TOKENS, NUMBERS)
    def test_below_the_break_even_more_requests_lose_more(
        self, model: str, tokens: int, number: int
    ) -> None:
        """A write costs twice the plain input, so about half of the followers have to hit."""
        poor = terms(model, Decimal("0.5"))
        assert poor.saving(tokens, number + 1) < poor.saving(tokens, number) < 0
        good = terms(model, Decimal("0.54"))
        assert good.saving(tokens, number + 1) > good.saving(tokens, number)

    @given(MODELS, TOKENS, NUMBERS, SHARES, SHARES)
    def test_more_hits_save_more(
        self, model: str, tokens: int, number: int, one: Decimal, other: Decimal
    ) -> None:
        few, many = sorted((one, other))
        assert terms(model, few).saving(tokens, number) <= terms(model, many).saving(tokens, number)


class TestPays:
    def test_from_five_cents_on(self) -> None:
        number = next(n for n in range(1, 1_000) if terms().saving(10_000, n) >= MIN_SAVING)
        assert number == 26
        assert terms().is_worth_priming(10_000, number)
        assert not terms().is_worth_priming(10_000, number - 1)

    def test_from_the_models_minimum_on(self) -> None:
        assert terms().min_tokens == 512
        assert terms().is_worth_priming(512, 10_000)
        assert not terms().is_worth_priming(511, 10_000)
        assert not terms("claude-haiku-4-5").is_worth_priming(4_095, 10_000)

    def test_not_where_nobody_knows_the_minimum(self) -> None:
        assert not replace(terms(), min_tokens=None).is_worth_priming(10_000, 10_000)


class TestMarks:
    def marks(self, *starts: str, models: Iterable[str] = (MODEL,)) -> list[CachedPrefix | None]:
        return list(
            plan_cached_prefixes(((model, one) for one in starts for model in models), terms)
        )

    def test_each_group_is_decided_by_itself(self) -> None:
        long, short, rare = "a" * 100, "b" * 10, "c" * 100
        found = self.marks(long, short, long, rare, *[short, long] * 50)
        primer = CachedPrefix(10_000, Decimal(0), is_primer=True)
        follower = CachedPrefix(10_000, ASSUMED_HIT_RATE, is_primer=False)
        assert found == [primer, None, follower, None] + [None, follower] * 50

    def test_two_groups_have_two_primers(self) -> None:
        found = self.marks(*["a" * 100, "b" * 100] * 30)
        assert [mark.is_primer for mark in found if mark] == [True] * 2 + [False] * 58

    def test_models_share_nothing(self) -> None:
        found = self.marks(*["a" * 100] * 30, models=(MODEL, "claude-haiku-5-5"))
        assert [mark is not None for mark in found] == [True, False] * 30
        assert self.marks(*["a" * 100] * 20, models=(MODEL, "claude-sonnet-5")) == [None] * 40

    def test_how_a_prompt_is_expected_to_be_billed(self) -> None:
        follower = CachedPrefix(1_000, ASSUMED_HIT_RATE, is_primer=False)
        assert follower.expected_usage(5_000) == Usage(
            input=4_000, cache_read=640, cache_write_1h=360
        )
        primer = CachedPrefix(1_000, Decimal(0), is_primer=True)
        assert primer.expected_usage(5_000) == Usage(input=4_000, cache_write_1h=1_000)
        assert primer.expected_usage(900) == Usage(cache_write_1h=900)


def past(number: int, usage: Usage, start: int = 0, **more: object) -> list[AnyEvent]:
    """Answers a minute apart."""
    return [
        event
        for n in range(start, start + number)
        for event in (
            intent(f"i{n}"),
            asked(f"i{n}", 0, f"t{n}", **more),
            answered(f"i{n}", minute=n, usage=usage),
        )
    ]


class TestHitRate:
    HALF = Usage(input=1_000, cache_read=300, cache_write_1h=200, cache_write_5m=100)

    def rate(self, *events: AnyEvent, minute: float = 1_000) -> Decimal:
        return measure_hit_rate(LedgerState.from_events(events), at(minute))

    def test_twenty_answers_are_believed(self) -> None:
        assert self.rate(*past(MIN_SAMPLES - 1, self.HALF)) == ASSUMED_HIT_RATE
        assert self.rate(*past(MIN_SAMPLES, self.HALF)) == Decimal("0.5")

    def test_folded_ones_count_too(self) -> None:
        folded = [settled(f"f{n}", 0, f"t{n}", usage=self.HALF) for n in range(MIN_SAMPLES)]
        assert self.rate(*folded) == Decimal("0.5")

    def test_what_was_not_cached_and_what_primed_say_nothing(self) -> None:
        plain = past(100, Usage(input=1_000), start=100)
        primers = past(50, Usage(cache_write_1h=1_000), start=200, purpose="primer")
        assert self.rate(*past(MIN_SAMPLES, self.HALF), *plain, *primers) == Decimal("0.5")

    def test_the_newest_hundred(self) -> None:
        old = past(MIN_SAMPLES, Usage(cache_write_1h=1_000))
        new = past(MAX_SAMPLES, self.HALF, start=MIN_SAMPLES)
        assert self.rate(*new, *old) == Decimal("0.5")

    def test_a_month_later_it_is_tried_again(self) -> None:
        never = past(MIN_SAMPLES, Usage(cache_write_1h=1_000))
        assert self.rate(*never) == 0
        later = MIN_SAMPLES + HISTORY / timedelta(minutes=1)
        assert self.rate(*never, minute=later) == ASSUMED_HIT_RATE


@given(
    MODELS,
    st.integers(1, 400_000),
    st.sampled_from([None, CachedPrefix(2_000, Decimal(0), is_primer=True)]),
    st.lists(st.integers(0, 10_000), min_size=3, max_size=3),
)
def test_no_bill_is_above_what_is_reserved(
    model: str, chars: int, mark: CachedPrefix | None, shares: list[int]
) -> None:
    """However a prompt of at most so many tokens is split into classes."""
    made = estimates.estimate_request(
        PRICES, model, "medium", chars=chars, tasks=3, at=TODAY, batch=True, cached_prefix=mark
    )
    most, whole = estimates.max_input_tokens(chars), max(sum(shares), 1)
    into, read, write = (most * share // whole for share in shares)
    if mark is None:
        into, read, write = into + read + write, 0, 0
    output = estimates.max_tokens(chars, 3, "medium")
    usage = Usage(input=into, cache_read=read, cache_write_1h=write, output=output)
    assert PRICES.cost(model, usage, at=TODAY, batch=True).usd <= made.usd_max
    assert made.usd <= made.usd_max


@pytest.mark.parametrize("is_primer", [True, False])
def test_an_estimate_shows_the_hits_that_are_expected(is_primer: bool) -> None:
    hits = Decimal(0) if is_primer else ASSUMED_HIT_RATE
    mark = CachedPrefix(4_000, hits, is_primer)
    plain, marked = (
        estimates.estimate_request(
            PRICES, MODEL, "low", chars=22_000, tasks=1, at=TODAY, batch=True, cached_prefix=one
        )
        for one in (None, mark)
    )
    assert (marked.input_tokens, marked.usd_standard) == (plain.input_tokens, plain.usd_standard)
    per_million = Decimal(2) if is_primer else Decimal("0.752")
    assert marked.usd - plain.usd == 4_000 * (per_million - 1) / 1_000_000
