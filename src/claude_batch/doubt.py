"""An intent without a fact: was it sent after all? The API has no idempotency key, so we look.

A batch that was created during the intent's lease, holds as many requests and belongs to no
other intent of ours is adopted; once it has ended, its custom_ids say whose it is. Only two
listings without a candidate, ten minutes apart, let the work be sent again: listings lag behind.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from claude_batch.event import BatchId
from claude_batch.ledger import Sending, View

SKEW = timedelta(minutes=2)
APART = timedelta(minutes=10)


class Listed(Protocol):
    """A batch as the API lists it."""

    @property
    def id(self) -> BatchId: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def requests(self) -> int: ...


Batch = TypeVar("Batch", bound=Listed)


@dataclass(frozen=True, slots=True)
class Adopt:
    batch: Listed


@dataclass(frozen=True, slots=True)
class Void:
    reason: str


@dataclass(frozen=True, slots=True)
class LookAgain:
    candidates: tuple[BatchId, ...]


Verdict = Adopt | Void | LookAgain


def doubtful(view: View, now: datetime) -> list[Sending]:
    """Intents of the batch lane whose lease has run out without a fact."""
    return [
        sending
        for sending in view.open_batches()
        if sending.intent.lane == "batch" and sending.status(now) == "undecided"
    ]


def taken(view: View) -> set[BatchId]:
    return {sending.submitted.batch for sending in view.sendings.values() if sending.submitted}


def candidates_of(
    sending: Sending, listed: Iterable[Batch], ours: Collection[BatchId]
) -> list[Batch]:
    """Those that may be it, from what the listing says."""
    intent = sending.intent
    return [
        batch
        for batch in listed
        if intent.at - SKEW <= batch.created_at <= intent.lease_until + SKEW
        and batch.requests == intent.requests
        and batch.id not in ours
    ]


def is_of(sending: Sending, custom_ids: Iterable[str]) -> bool:
    """Whether the results of a batch are those of this intent."""
    return any(name.startswith(f"{sending.intent.id}-") for name in custom_ids)


def resolve(sending: Sending, candidates: Sequence[Listed], now: datetime) -> Verdict:
    if len(candidates) == 1:
        return Adopt(candidates[0])
    seen_none = [look.at for look in sending.looks if not look.candidates]
    if not candidates and seen_none and now - min(seen_none) >= APART:
        return Void("two listings ten minutes apart show no batch of this intent")
    return LookAgain(tuple(batch.id for batch in candidates))
