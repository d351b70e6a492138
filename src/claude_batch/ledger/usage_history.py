"""Token usage of earlier answers, as a basis of estimates.

Folded requests do not count, because they have lost their effort and their length. Compaction
leaves the requests alone that count.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeVar

from claude_batch.anthropic_api.results import Outcome, Usage
from claude_batch.ledger.events import IntentId, RequestRecorded
from claude_batch.ledger.view import LedgerState

Basis = Literal["history", "defaults"]
InputBasis = Literal["history", "counted", "length"]
MIN_SAMPLES = 20  # answers; fewer may be untypical, so the default assumptions are better
MAX_SAMPLES = 100  # the newest answers, so that a new version of a model or prompt soon shows
Key = TypeVar("Key", bound=Hashable)
Pair = tuple[int, int]
Sample = tuple[datetime, int, RequestRecorded, Usage]


@dataclass(frozen=True)
class UsageHistory:
    """Sums over the newest answers; those of `counted` are over the requests to be sent."""

    out: dict[tuple[str, str, str | None], Pair] = field(default_factory=dict)  # billed, by size
    length: dict[str, Pair] = field(default_factory=dict)  # tokens billed, tokens by length
    counted: Mapping[str, Pair] = field(default_factory=dict)  # tokens, tokens by length

    @classmethod
    def from_state(cls, view: LedgerState) -> "UsageHistory":
        samples = [(asked, usage) for _, _, asked, usage in sorted(_samples(view), key=_age)]
        return cls(
            dict(_sums((_question(a), (u.output, a.estimate.output_tokens)) for a, u in samples)),
            dict(_sums((a.model, (u.prompt, a.estimate.input_tokens)) for a, u in samples)),
        )

    def output_tokens(self, kind: str, model: str, effort: str | None, by_size: int) -> int | None:
        """The estimate for a request with `by_size` tokens by the size and number of its tasks.

        None: too few answers are known.
        """
        if (kind, model, effort) not in self.out:
            return None
        billed, expected = self.out[kind, model, effort]
        return _ceil(by_size * billed, expected)

    def input_tokens(self, by_length: int, model: str) -> int:
        """The estimate for a request with `by_length` tokens by its length in characters."""
        billed, expected = self.length.get(model) or self.counted.get(model) or (1, 1)
        return _ceil(by_length * billed, expected)

    def input_basis(self, model: str) -> InputBasis:
        """The basis of `input_tokens` for this model."""
        if model in self.length:
            return "history"
        return "counted" if model in self.counted else "length"


def sampled_requests(view: LedgerState) -> set[tuple[IntentId, int]]:
    """The requests that `UsageHistory` uses, or may use when more are answered."""
    newest: dict[Hashable, list[RequestRecorded]] = {}
    for _, _, asked, _ in sorted(_samples(view), key=_age, reverse=True):
        newest.setdefault(_question(asked), []).append(asked)
    return {(asked.intent, asked.n) for group in newest.values() for asked in group[:MAX_SAMPLES]}


def _question(asked: RequestRecorded) -> tuple[str, str, str | None]:
    return asked.kind, asked.model, asked.effort


def _samples(view: LedgerState) -> Iterator[Sample]:
    for row in view.requests:
        asked, answered = row.request, row.answer
        if answered is None or answered.usage is None or asked.purpose == "verify":
            continue
        is_estimated = asked.estimate.input_tokens and asked.estimate.output_tokens
        is_whole = asked.tasks and is_estimated and answered.usage.prompt
        if is_whole and answered.outcome is Outcome.SUCCEEDED:
            yield answered.at, asked.n, asked, answered.usage


def _age(sample: Sample) -> tuple[datetime, str, int]:
    at, n, asked, _ = sample
    return at, asked.intent, n


def _sums(rows: Iterable[tuple[Key, Pair]]) -> Iterator[tuple[Key, Pair]]:
    grouped: dict[Key, list[Pair]] = {}
    for key, pair in rows:
        grouped.setdefault(key, []).append(pair)
    for key, pairs in grouped.items():
        if len(pairs) >= MIN_SAMPLES:
            newest = pairs[-MAX_SAMPLES:]
            yield key, (sum(pair[0] for pair in newest), sum(pair[1] for pair in newest))


def _ceil(amount: int, by: int) -> int:
    return -(-amount // by)
