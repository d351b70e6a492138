"""What is sent: requests on their way with what the ledger will know of them, as batches."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.request_body import Body
from claude_batch.config.model import Lane
from claude_batch.ledger.events import Estimate, Intent, RequestRecorded, Stamp
from claude_batch.ledger.usage_history import Basis, InputBasis

LEASE = timedelta(minutes=30)
FOLLOWS_A_PRIMER = "rest"  # the ledger's word

# The API's limits as of 2026-11-22, with room for the envelope around each request.
MAX_BATCH_REQUESTS = 100_000
MAX_BATCH_BYTES = 250_000_000


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
    event: RequestRecorded
    expected: RequestEstimate | None = None  # None: all that there is to say is in `asked`

    @property
    def estimate(self) -> Estimate:
        return self.expected.estimate if self.expected else self.event.estimate


@dataclass(frozen=True)
class PlannedBatch:
    """One batch to be: an intent and its requests."""

    intent: Intent
    requests: tuple[PreparedRequest, ...]


@dataclass(frozen=True)
class SentBatch:
    id: BatchId | None  # None: lane now
    requests: int
    tasks: int
    expires_at: datetime | None = None
    follows: str | None = None  # why there is a second sending


def plan_batch(
    requests: Sequence[PreparedRequest], lane: Lane, follows: str | None = None
) -> PlannedBatch:
    """At least one draft. The intent's owner is at it from now on, for LEASE."""
    first = requests[0].event
    hashes = "".join(draft.event.sha for draft in requests)
    return PlannedBatch(
        Stamp(first.run, first.repo, lambda: first.at).event(
            Intent,
            id=first.intent,
            lease_until=first.at + LEASE,
            lane=lane,
            requests=len(requests),
            sha256=hashlib.sha256(hashes.encode()).hexdigest(),
            follows=follows,
        ),
        tuple(requests),
    )


def batch_events(batches: Sequence[PlannedBatch]) -> tuple[Intent | RequestRecorded, ...]:
    """What the ledger holds of them before they are sent."""
    asked = (draft.event for parcel in batches for draft in parcel.requests)
    return (*(parcel.intent for parcel in batches), *asked)


class HasBody(Protocol):
    @property
    def body(self) -> Body: ...


AnyRequest = TypeVar("AnyRequest", bound=HasBody)


def split_into_batches(
    requests: Iterable[AnyRequest],
    max_requests: int = MAX_BATCH_REQUESTS,
    max_bytes: int = MAX_BATCH_BYTES,
) -> Iterator[list[AnyRequest]]:
    """Batches of at most `count` requests and `most` bytes, in order."""
    part: list[AnyRequest] = []
    size = 0
    for made in requests:
        length = made.body.size + 100  # the envelope with its custom_id
        if part and (len(part) == max_requests or size + length > max_bytes):
            yield part
            part, size = [], 0
        part.append(made)
        size += length
    if part:
        yield part
