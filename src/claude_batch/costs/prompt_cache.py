"""What requests share, and whether it pays to have that cached first.

What is written to the cache for an hour costs twice the plain input, and requests of one batch do
not read what one of them writes. So one of them goes first, alone (the primer), and the others
follow when it has ended. https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from claude_batch.anthropic_api.results import Usage
from claude_batch.costs.prices import BATCH_FACTOR, Rates
from claude_batch.ledger.usage_history import LEAST, SPAN
from claude_batch.ledger.view import LedgerState

# Hits are best effort: 30 to 98 % by the documentation, of which this is the middle.
ASSUMED_HIT_RATE = Decimal("0.64")

# Older answers say nothing: else a low rate, which stops priming, could never be seen to rise.
RECENT = timedelta(days=30)
MIN_SAVING = Decimal("0.05")  # dollars; for less nobody waits
PromptPrefix = tuple[str, str]  # model, text


@dataclass(frozen=True, slots=True)
class CachedPrefix:
    """The first `tokens` of a request are to be cached for an hour."""

    tokens: int
    hit_rate: Decimal  # the share of them that is expected to be read; the primer reads nothing
    is_primer: bool

    def expected_usage(self, prompt: int) -> Usage:
        """A prompt of so many tokens, as it is expected to be billed."""
        cached = min(self.tokens, prompt)
        read = int(cached * self.hit_rate)
        return Usage(input=prompt - cached, cache_read=read, cache_write_1h=cached - read)


@dataclass(frozen=True)
class CachePricing:
    """How a model caches. `rates`: at standard price. `minimum`: None where nobody knows it.
    `length`: of a text in tokens."""

    rates: Rates
    min_tokens: int | None
    hit_rate: Decimal
    count_tokens: Callable[[str], int]

    def saving(self, tokens: int, requests: int) -> Decimal:
        """Dollars that so many requests in batches cost less for these shared tokens if the first
        of them is the primer; below zero they cost more."""
        read, write = self.rates.cache_read, self.rates.cache_write_1h
        follower = self.hit_rate * read + (1 - self.hit_rate) * write
        primed = write + (requests - 1) * follower
        return (tokens * (requests * self.rates.input - primed)).scaleb(-6) * BATCH_FACTOR

    def is_worth_priming(self, tokens: int, requests: int) -> bool:
        is_cached = self.min_tokens is not None and tokens >= self.min_tokens
        return is_cached and self.saving(tokens, requests) >= MIN_SAVING


def measure_hit_rate(view: LedgerState, now: datetime) -> Decimal:
    """Of the tokens that recent answers read from the cache or wrote to it, those that were read.

    A primer can only write, so it says nothing of what its followers find.
    """
    recent = [
        (row.answered.at, row.asked.intent, row.asked.n, row.answered.usage)
        for row in view.rows
        if row.answered and row.answered.usage and row.asked.purpose != "primer"
        if now - row.answered.at < RECENT and _cached(row.answered.usage)
    ]
    newest = [usage for *_, usage in sorted(recent, key=lambda row: row[:3])[-SPAN:]]
    if len(newest) < LEAST:
        return ASSUMED_HIT_RATE
    return Decimal(sum(usage.cache_read for usage in newest)) / sum(map(_cached, newest))


def _cached(usage: Usage) -> int:
    return usage.cache_read + usage.cache_write_5m + usage.cache_write_1h


def plan_cached_prefixes(
    prefixes: Iterable[PromptPrefix], pricing_for: Callable[[str], CachePricing]
) -> Iterator[CachedPrefix | None]:
    """Of each request by what it starts with; None: it is sent without a mark."""
    same: dict[PromptPrefix, PromptPrefix] = {}
    each = [same.setdefault(start, start) for start in prefixes]
    worth = dict(_worth(Counter(each), pricing_for))
    primed: set[PromptPrefix] = set()
    for start in each:
        if start not in worth:
            yield None
        elif start in primed:
            yield worth[start]
        else:
            primed.add(start)
            yield replace(worth[start], hits=Decimal(0), is_primer=True)


def _worth(
    groups: Mapping[PromptPrefix, int], terms_of: Callable[[str], CachePricing]
) -> Iterator[tuple[PromptPrefix, CachedPrefix]]:
    """Starts that are worth a primer, with the mark of who follows it."""
    for start, number in groups.items():
        model, text = start
        terms = terms_of(model)
        tokens = terms.count_tokens(text)
        if terms.is_worth_priming(tokens, number):
            yield start, CachedPrefix(tokens, terms.hit_rate, is_primer=False)
