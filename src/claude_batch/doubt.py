"""An intent without a fact: was it sent after all? The API has no idempotency key, so we look.

A batch that was created about when the intent was claimed, holds as many requests and belongs to
no other intent of ours may be it. Only its results, when it has ended, name the intent; until then
nothing is adopted, because a twin may be another job's that is about to record it. Only two
listings without a candidate, ten minutes apart, let the work be sent again: listings lag behind.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from claude_batch.event import BatchId
from claude_batch.ledger import Sending, View

SKEW = timedelta(hours=1)  # of two clocks: wide, because the results decide
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


def is_doubtful(sending: Sending, now: datetime) -> bool:
    """The lane now has no listing to look at."""
    undecided = sending.is_open() and sending.status(now) == "undecided"
    return undecided and sending.intent.lane == "batch"


def doubtful(view: View, now: datetime) -> list[Sending]:
    """Intents of the batch lane whose lease has run out without a fact."""
    return [sending for sending in view.open_batches() if is_doubtful(sending, now)]


def since(doubts: Iterable[Sending]) -> datetime:
    """Batches that were created earlier belong to none of them."""
    return min(sending.intent.at for sending in doubts) - SKEW


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


def resolve(
    sending: Sending, candidates: Iterable[tuple[Listed, bool | None]], now: datetime
) -> Verdict:
    """Each candidate with whether its results are those of this intent; None: not known yet."""
    rows = list(candidates)
    for batch, is_it in rows:
        if is_it:
            return Adopt(batch)
    possible = tuple(batch.id for batch, is_it in rows if is_it is None)
    seen_none = [look.at for look in sending.looks if not look.candidates]
    if not possible and seen_none and now - min(seen_none) >= APART:
        return Void("two listings ten minutes apart show no batch of this intent")
    return LookAgain(possible)


def is_news(sending: Sending, verdict: Verdict) -> bool:
    """Whether it is to be recorded. Somebody who waits may look every minute for a day."""
    if not isinstance(verdict, LookAgain):
        return True
    return not sending.looks or sending.looks[-1].candidates != verdict.candidates
