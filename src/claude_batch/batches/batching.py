"""What is sent: requests on their way with what the ledger will know of them, as batches."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.request_body import Body
from claude_batch.config.model import Lane
from claude_batch.ledger.events import Estimate, Intent, RequestRecorded
from claude_batch.ledger.usage_history import Basis, InputBasis

LEASE = timedelta(minutes=30)
FOLLOWS_A_PRIMER = "rest"  # the ledger's word

# The API's limits as of 2026-11-22, with room for the envelope around each request.
BATCH_REQUESTS = 100_000
BATCH_BYTES = 250_000_000


@dataclass(frozen=True)
class RequestEstimate:
    """The estimate that is shown, and what it rests on.

    The ledger keeps its tokens in as the length alone would have them, because only what was
    guessed without history can tell later how far such a guess is off.
    """

    estimate: Estimate
    basis: Basis
    input_basis: InputBasis
    tokens_by_length: int

    @property
    def recorded(self) -> Estimate:
        return self.estimate.model_copy(update={"input_tokens": self.tokens_by_length})


@dataclass(frozen=True)
class PreparedRequest:
    """A request on its way, with what the ledger will know of it."""

    custom_id: str
    body: Body
    asked: RequestRecorded
    expected: RequestEstimate | None = None  # None: all that there is to say is in `asked`

    @property
    def estimate(self) -> Estimate:
        return self.expected.estimate if self.expected else self.asked.estimate


@dataclass(frozen=True)
class PlannedBatch:
    """One batch to be: an intent and its requests."""

    intent: Intent
    drafts: tuple[PreparedRequest, ...]


@dataclass(frozen=True)
class SentBatch:
    batch: BatchId | None  # None: lane now
    requests: int
    tasks: int
    expires_at: datetime | None = None
    follows: str | None = None  # why there is a second sending


def plan_batch(
    drafts: Sequence[PreparedRequest], lane: Lane, follows: str | None = None
) -> PlannedBatch:
    """At least one draft. The intent's owner is at it from now on, for LEASE."""
    first = drafts[0].asked
    hashes = "".join(draft.asked.sha for draft in drafts)
    return PlannedBatch(
        Intent(
            at=first.at,
            run=first.run,
            repo=first.repo,
            id=first.intent,
            lease_until=first.at + LEASE,
            lane=lane,
            requests=len(drafts),
            sha256=hashlib.sha256(hashes.encode()).hexdigest(),
            follows=follows,
        ),
        tuple(drafts),
    )


def recorded(parcels: Sequence[PlannedBatch]) -> tuple[Intent | RequestRecorded, ...]:
    """What the ledger holds of them before they are sent."""
    asked = (draft.asked for parcel in parcels for draft in parcel.drafts)
    return (*(parcel.intent for parcel in parcels), *asked)


class Sendable(Protocol):
    @property
    def body(self) -> Body: ...


Made = TypeVar("Made", bound=Sendable)


def split_into_batches(
    requests: Iterable[Made], count: int = BATCH_REQUESTS, most: int = BATCH_BYTES
) -> Iterator[list[Made]]:
    """Batches of at most `count` requests and `most` bytes, in order."""
    part: list[Made] = []
    size = 0
    for made in requests:
        length = made.body.size + 100  # the envelope with its custom_id
        if part and (len(part) == count or size + length > most):
            yield part
            part, size = [], 0
        part.append(made)
        size += length
    if part:
        yield part
