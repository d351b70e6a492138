"""The records of batches and requests, joined from the events of the ledger."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property, partial
from typing import overload

from claude_batch.anthropic_api.models import BatchId
from claude_batch.formatting import count
from claude_batch.ledger.event_index import EventIndex, LazyRows
from claude_batch.ledger.events import (
    AnswerRecorded,
    BatchLookup,
    BatchStatus,
    FoldedRequest,
    Intent,
    IntentAbandoned,
    IntentId,
    RequestRecorded,
    Submitted,
    is_unpriced,
    supersedes,
)
from claude_batch.tasks.task import TaskId

ZERO = Decimal(0)
RequestKey = tuple[IntentId, int]  # the intent of a request, and its number there


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request and its answer, if there is one."""

    request: RequestRecorded
    answer: AnswerRecorded | None
    is_open: bool

    def charge(self) -> Decimal:
        """Dollars paid or reserved; the estimate for an answer that cannot be priced."""
        estimate = self.request.estimate
        if self.answer is None:
            return estimate.usd_max if self.is_open else ZERO
        if self.answer.usd is not None:
            return self.answer.usd
        return estimate.usd if is_unpriced(self.answer) else ZERO


@dataclass
class BatchRecord:
    """An intent with its requests, its batch and its answers."""

    intent: Intent
    requests: LazyRows[RequestRecorded] = field(default_factory=LazyRows)
    submitted: Submitted | None = None
    answers: LazyRows[AnswerRecorded] = field(default_factory=LazyRows)
    abandoned: IntentAbandoned | None = None
    lookups: list[BatchLookup] = field(default_factory=list)
    statuses: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The id of its batch, or of the intent while there is none."""
        return self.submitted.batch if self.submitted else self.intent.id

    def is_answered(self) -> bool:
        """True if every request has its answer, even if no event says that it was collected."""
        return bool(self.requests) and self.requests.keys() <= self.answers.keys()

    def is_open(self) -> bool:
        """True if it may still cost money."""
        return not (self.abandoned or self.is_answered() or self.statuses & {"collected", "lost"})

    def is_sent_by(self, scope: str) -> bool:
        """False: it was sent with another key, for which alone the API knows it."""
        return self.intent.scope in (None, scope)

    @property
    def latest_news(self) -> datetime:
        """When it was recorded, created or searched for."""
        times = [self.intent.at, *(lookup.at for lookup in self.lookups)]
        if self.submitted:
            times += [self.submitted.created_at, self.submitted.at]
        return max(times)

    def status(self, now: datetime) -> str:
        """One of the words of the `status` command."""
        if "lost" in self.statuses:
            return "lost"  # even if its requests have answers, which say so too
        if self.is_answered():
            return "collected"
        if self.abandoned:
            return "collected" if self.answers else "lost"
        if self.submitted is None:
            return "intent" if now < self.intent.lease_until else "undecided"
        for word in ("collected", "ended", "canceling"):
            if word in self.statuses:
                return word
        return "in_progress"

    def add_folded(self, row: FoldedRequest) -> None:
        """Add a folded request. The unfolded events of the same request say more, so they stay,
        unless the folded answer is a later one."""
        batch = self.submitted.batch if self.submitted else None
        if row.n not in self.requests:
            self.requests[row.n] = partial(row.request, self.intent)
        answer = self.answers.get(row.n)
        if answer is None or supersedes(row.answer(batch), answer):
            self.answers[row.n] = partial(row.answer, batch)


@dataclass(frozen=True, eq=False)
class RequestRecords(Sequence[RequestRecord]):
    """All requests, loaded on access: those in large log files take no memory."""

    batches: Mapping[IntentId, BatchRecord]
    folded: Mapping[RequestKey, FoldedRequest]  # those of intents that are not in `batches`

    @cached_property
    def keys(self) -> list[RequestKey]:
        keys = [(intent, n) for intent, batch in self.batches.items() for n in batch.requests]
        return [*keys, *self.folded]

    @cached_property
    def keys_by_task(self) -> dict[TaskId, list[RequestKey]]:
        keys: dict[TaskId, list[RequestKey]] = {}
        for key, record in zip(self.keys, self, strict=True):
            for task in record.request.tasks:
                keys.setdefault(task.id, []).append(key)
        return keys

    def of_task(self, task: TaskId) -> Iterator[RequestRecord]:
        """All requests with this task, including second looks."""
        return map(self._load, self.keys_by_task.get(task, ()))

    def find(self, intent: IntentId, n: int) -> RequestRecord | None:
        batch = self.batches.get(intent)
        is_known = n in batch.requests if batch else (intent, n) in self.folded
        return self._load((intent, n)) if is_known else None

    @overload
    def __getitem__(self, at: int) -> RequestRecord: ...
    @overload
    def __getitem__(self, at: slice) -> list[RequestRecord]: ...
    def __getitem__(self, at: int | slice) -> RequestRecord | list[RequestRecord]:
        if isinstance(at, slice):
            return [*map(self._load, self.keys[at])]
        return self._load(self.keys[at])

    def __len__(self) -> int:
        return len(self.keys)

    def _load(self, key: RequestKey) -> RequestRecord:
        intent, n = key
        if intent not in self.batches:
            return self._folded_records[key]
        batch = self.batches[intent]
        return RequestRecord(batch.requests[n], batch.answers.get(n), intent in self._open)

    @cached_property
    def _folded_records(self) -> dict[RequestKey, RequestRecord]:
        return {
            key: RequestRecord(row.request(), row.answer(), is_open=False)
            for key, row in self.folded.items()
        }

    @cached_property
    def _open(self) -> frozenset[IntentId]:
        return frozenset(intent for intent, batch in self.batches.items() if batch.is_open())


def build_batch_records(
    index: EventIndex, answers: dict[IntentId, LazyRows[AnswerRecorded]]
) -> dict[IntentId, BatchRecord]:
    requests = index.lazy_rows(RequestRecorded)
    records = {
        key: BatchRecord(
            intent, requests.get(key, LazyRows()), answers=answers.get(key, LazyRows())
        )
        for key, intent in index.latest(Intent, lambda intent: intent.id).items()
    }
    for lookup in index.distinct(BatchLookup):
        if lookup.intent in records:
            records[lookup.intent].lookups.append(lookup)
    for intent, abandoned in index.latest(IntentAbandoned, lambda event: event.intent).items():
        if intent in records:
            records[intent].abandoned = abandoned
    _add_batches(records, index)
    return records


def find_gaps(
    index: EventIndex,
    records: dict[IntentId, BatchRecord],
    folded: Mapping[RequestKey, FoldedRequest],
) -> Iterator[str]:
    """Describe what the events refer to and the ledger does not have: a file is missing."""
    folded_intents = {intent for intent, _ in folded}
    for submitted in index.distinct(Submitted):
        if submitted.intent not in records and submitted.intent not in folded_intents:
            yield f"batch {submitted.batch}: its intent is missing"
    for record in records.values():
        missing = record.intent.requests - len(record.requests)
        if missing > 0:
            total = record.intent.requests
            yield f"intent {record.intent.id}: {missing:,} of {count(total, 'request')} missing"


def _add_batches(records: dict[IntentId, BatchRecord], index: EventIndex) -> None:
    for intent, submitted in index.latest(Submitted, lambda event: event.intent).items():
        if intent in records:
            # A batch that exists costs money, so it counts more than an abandoned intent.
            records[intent].submitted, records[intent].abandoned = submitted, None
    intents: dict[BatchId, IntentId] = {
        event.batch: event.intent for event in index.distinct(Submitted)
    }
    for status in index.all(BatchStatus):
        owner = intents.get(status.batch)
        if owner in records:
            records[owner].statuses.add(status.status)
