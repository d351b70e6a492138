"""An intent without a fact: was it sent after all? The API has no idempotency key, so we look.

A batch that was created after the intent, holds as many requests and belongs to no other intent
of ours is adopted; its custom_ids confirm it when the results arrive. Only two listings without
a candidate, ten minutes apart, let the work be sent again: listings lag behind.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

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


def resolve(
    sending: Sending, listed: Iterable[Listed], ours: Collection[BatchId], now: datetime
) -> Verdict:
    intent = sending.intent
    candidates = [
        batch
        for batch in listed
        if batch.created_at >= intent.at - SKEW
        and batch.requests == intent.requests
        and batch.id not in ours
    ]
    if len(candidates) == 1:
        return Adopt(candidates[0])
    seen_none = [look.at for look in sending.looks if not look.candidates]
    if not candidates and seen_none and now - min(seen_none) >= APART:
        return Void("two listings ten minutes apart show no batch of this intent")
    return LookAgain(tuple(batch.id for batch in candidates))
