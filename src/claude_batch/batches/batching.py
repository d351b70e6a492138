"""Planned batches: prepared requests and their ledger events."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypedDict, TypeVar

from claude_batch.anthropic_api.models import BATCH_LIFETIME, BatchId, RemoteBatch
from claude_batch.anthropic_api.request_body import Body
from claude_batch.config.model import Lane
from claude_batch.ledger.events import Estimate, Intent, IntentId, RequestRecorded
from claude_batch.ledger.usage_history import Basis, InputBasis

LEASE = timedelta(minutes=30)
FOLLOWS_A_PRIMER = "rest"  # a word of the ledger's files

# The API's limits as of 2026-11-22, with room for the envelope around each request.
MAX_BATCH_REQUESTS = 100_000
MAX_BATCH_BYTES = 250_000_000
ENVELOPE_BYTES = 100  # of one request, with its custom_id

CUSTOM_ID = re.compile(r"[^-]+-([0-9]{1,9})-[0-9a-f]*", re.ASCII)


def custom_id(intent: IntentId, n: int, sha: str) -> str:
    """The id of request `n` of an intent; at most 64 characters of [a-zA-Z0-9_-]."""
    return f"{intent}-{n}-{sha[:16]}"


def request_number(custom_id: str) -> int | None:
    """The number of a request in its intent; None for a custom_id of another form."""
    match = CUSTOM_ID.fullmatch(custom_id)
    return int(match[1]) if match else None


@dataclass(frozen=True)
class RequestEstimate:
    """The estimate that is shown, and its basis."""

    estimate: Estimate
    basis: Basis
    input_basis: InputBasis
    tokens_by_length: int  # of input, from the length of the request
    tokens_by_size: int  # of output, from the size and the number of its tasks

    @property
    def recorded(self) -> Estimate:
        """The estimate for the ledger, with the tokens that follow from length and size."""
        # Only estimates without history show later how far the assumptions are off.
        tokens = {"input_tokens": self.tokens_by_length, "output_tokens": self.tokens_by_size}
        return self.estimate.model_copy(update=tokens)


@dataclass(frozen=True)
class PreparedRequest:
    """A request with the event that records it."""

    body: Body
    event: RequestRecorded
    expected: RequestEstimate | None = None  # None: the event has the estimate that is shown

    @property
    def custom_id(self) -> str:
        return custom_id(self.event.intent, self.event.n, self.event.sha)

    @property
    def estimate(self) -> Estimate:
        return self.expected.estimate if self.expected else self.event.estimate


@dataclass(frozen=True)
class PlannedBatch:
    """An intent and its requests."""

    intent: Intent
    requests: tuple[PreparedRequest, ...]


@dataclass(frozen=True)
class SentBatch:
    id: BatchId | None  # None: lane now
    requests: int
    tasks: int
    expires_at: datetime | None = None
    follows: str | None = None  # the reason for a further batch of the same tasks or findings


class BatchTimes(TypedDict):
    created_at: datetime
    expires_at: datetime


def batch_times(batch: RemoteBatch, now: datetime) -> BatchTimes:
    """The times of a batch. One that the API does not report follows from the others or `now`."""
    created = batch.created_at or now
    return BatchTimes(created_at=created, expires_at=batch.expires_at or created + BATCH_LIFETIME)


def plan_batch(
    requests: Sequence[PreparedRequest],
    lane: Lane,
    follows: str | None = None,
    key_scope: str | None = None,
) -> PlannedBatch:
    """Plan a batch of at least one request. Its lease starts now and ends after LEASE.

    `key_scope`: that of the client which sends it.
    """
    first = requests[0].event
    hashes = "".join(request.event.sha for request in requests)
    intent = Intent(
        at=first.at,
        run=first.run,
        repo=first.repo,
        id=first.intent,
        lease_until=first.at + LEASE,
        lane=lane,
        requests=len(requests),
        sha256=hashlib.sha256(hashes.encode()).hexdigest(),
        scope=key_scope,
        follows=follows,
    )
    return PlannedBatch(intent, tuple(requests))


def batch_events(batches: Sequence[PlannedBatch]) -> tuple[Intent | RequestRecorded, ...]:
    """The events that record batches before they are sent."""
    events = (request.event for batch in batches for request in batch.requests)
    return (*(batch.intent for batch in batches), *events)


class HasBody(Protocol):
    """A request of a submission or of a second look."""

    @property
    def body(self) -> Body: ...


AnyRequest = TypeVar("AnyRequest", bound=HasBody)


def split_into_batches(
    requests: Iterable[AnyRequest],
    max_requests: int = MAX_BATCH_REQUESTS,
    max_bytes: int = MAX_BATCH_BYTES,
) -> Iterator[list[AnyRequest]]:
    """Split requests into batches within both limits, in order."""
    part: list[AnyRequest] = []
    size = 0
    for request in requests:
        length = request.body.size + ENVELOPE_BYTES
        if part and (len(part) == max_requests or size + length > max_bytes):
            yield part
            part, size = [], 0
        part.append(request)
        size += length
    if part:
        yield part
