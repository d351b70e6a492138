"""Decide which shared prefixes of requests are cached for an hour.

A cache write for an hour costs twice the plain input, and requests of one batch do not read each
other's writes. So one request, the primer, is sent alone, and the others follow when it has ended.
 https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from claude_batch.anthropic_api.results import Usage
from claude_batch.costs.prices import BATCH_FACTOR, Rates
from claude_batch.ledger.usage_history import MAX_SAMPLES, MIN_SAMPLES
from claude_batch.ledger.view import LedgerState

# Cache hits are best effort: 30 to 98 % by the documentation. This is the middle.
ASSUMED_HIT_RATE = Decimal("0.64")

# A low hit rate stops priming. Older answers expire, so that the rate is measured again.
HISTORY = timedelta(days=30)
MIN_SAVING = Decimal("0.05")  # dollars; less is not worth the wait for a primer
PromptPrefix = tuple[str, str]  # model, text


@dataclass(frozen=True, slots=True)
class CachedPrefix:
    """The first `tokens` of a request, to be cached for an hour."""

    tokens: int
    hit_rate: Decimal  # expected share of tokens that are read; 0 for the primer
    is_primer: bool

    def expected_usage(self, prompt: int) -> Usage:
        """Return the expected billing of a prompt of `prompt` tokens."""
        cached = min(self.tokens, prompt)
        read = int(cached * self.hit_rate)
        return Usage(input=prompt - cached, cache_read=read, cache_write_1h=cached - read)


@dataclass(frozen=True)
class CachePricing:
    """The prices and limits of caching for one model."""

    rates: Rates  # standard price
    min_tokens: int | None  # None: unknown
    hit_rate: Decimal
    count_tokens: Callable[[str], int]  # tokens of a text

    def saving(self, tokens: int, requests: int) -> Decimal:
        """Return the dollars saved on the shared tokens of batch requests if one is the primer."""
        read, write = self.rates.cache_read, self.rates.cache_write_1h
        follower = self.hit_rate * read + (1 - self.hit_rate) * write
        primed = write + (requests - 1) * follower
        return (tokens * (requests * self.rates.input - primed)).scaleb(-6) * BATCH_FACTOR

    def is_worth_priming(self, tokens: int, requests: int) -> bool:
        is_cached = self.min_tokens is not None and tokens >= self.min_tokens
        return is_cached and self.saving(tokens, requests) >= MIN_SAVING


def measure_hit_rate(state: LedgerState, now: datetime) -> Decimal:
    """Return the share of cache reads in the cached tokens of recent answers."""
    # Primers can only write, so they are not counted.
    recent = [
        (row.answer.at, row.request.intent, row.request.n, row.answer.usage)
        for row in state.requests
        if row.answer and row.answer.usage and row.request.purpose != "primer"
        if now - row.answer.at < HISTORY and _cached(row.answer.usage)
    ]
    newest = [usage for *_, usage in sorted(recent, key=lambda row: row[:3])[-MAX_SAMPLES:]]
    if len(newest) < MIN_SAMPLES:
        return ASSUMED_HIT_RATE
    return Decimal(sum(usage.cache_read for usage in newest)) / sum(map(_cached, newest))


def _cached(usage: Usage) -> int:
    return usage.cache_read + usage.cache_write_5m + usage.cache_write_1h


def plan_cached_prefixes(
    prefixes: Iterable[PromptPrefix], pricing_for: Callable[[str], CachePricing]
) -> Iterator[CachedPrefix | None]:
    """Yield the cached prefix of each request by its start; None: nothing is cached."""
    # Equal texts are kept once: they may be long, and there may be many.
    unique: dict[PromptPrefix, PromptPrefix] = {}
    starts = [unique.setdefault(prefix, prefix) for prefix in prefixes]
    cached_prefixes = dict(_worthwhile_prefixes(Counter(starts), pricing_for))
    primed: set[PromptPrefix] = set()
    for start in starts:
        if start not in cached_prefixes:
            yield None
        elif start in primed:
            yield cached_prefixes[start]
        else:
            primed.add(start)
            yield replace(cached_prefixes[start], hit_rate=Decimal(0), is_primer=True)


def _worthwhile_prefixes(
    request_counts: Mapping[PromptPrefix, int], pricing_for: Callable[[str], CachePricing]
) -> Iterator[tuple[PromptPrefix, CachedPrefix]]:
    """Yield the starts that are worth a primer, with the cached prefix of the other requests."""
    for start, requests in request_counts.items():
        model, text = start
        pricing = pricing_for(model)
        tokens = pricing.count_tokens(text)
        if pricing.is_worth_priming(tokens, requests):
            yield start, CachedPrefix(tokens, pricing.hit_rate, is_primer=False)
