"""`collect`: record the results of ended batches; with `wait`, until no batch is open."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.models import BatchId, RemoteBatch
from claude_batch.anthropic_api.results import BatchResult
from claude_batch.batches import recovery
from claude_batch.batches.collect_result import (
    Answers,
    CollectResult,
    Progress,
    merge_results,
)
from claude_batch.batches.record_answers import AnswerRecorder, parse_results, response_validator
from claude_batch.batches.recovery import BatchRecovery
from claude_batch.batches.status import RESULTS_AVAILABLE, batch_warnings
from claude_batch.costs.prices import Prices
from claude_batch.costs.receipts import sum_lost_reservations
from claude_batch.errors import CannotFind
from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.event_index import LazyRows
from claude_batch.ledger.events import (
    AnswerRecorded,
    BatchStatus,
    IntentId,
    RequestRecorded,
    Stamp,
    Submitted,
)
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import TaskId

FIRST_POLL_SECONDS = 5.0  # seconds; then half as long again each time
MAX_POLL_SECONDS = 60.0
MAX_REQUESTS_WITH_FINDINGS = (
    5_000  # requests; above, findings are fetched from the API when they are needed
)
PORTION_SIZE = 5_000  # answers that are recorded at once


@dataclass
class Collector:
    ledger: Ledger
    anthropic: AnthropicClient
    prices: Prices
    run: str
    now: Callable[[], datetime]
    keep_findings: bool = True
    portion_size: int = PORTION_SIZE
    _foreign: set[tuple[IntentId, BatchId]] = field(default_factory=set, init=False)
    _retry_after: float = field(
        default=0.0, init=False
    )  # seconds that the API wants between two looks

    def collect(self) -> CollectResult:
        """Check every open batch once."""
        before = self.ledger.view()
        notes = list(self._recover_unconfirmed(before))
        for record in self.ledger.view().open_batches():
            if record.submitted:
                notes += self._fetch(record, record.submitted)
        after = self.ledger.view()
        notes += batch_warnings(after, self.now())
        return self._since(before, after, notes)

    def wait(
        self,
        sleep: Callable[[float], None],
        show: Callable[[Progress], None],
        tasks: AbstractSet[TaskId] | None = None,
    ) -> CollectResult:
        """Rounds until nothing is open, or nothing that asks one of `tasks`. Interrupting it loses
        nothing."""
        start = self.ledger.view()
        if not _open(start, tasks):
            return self.collect()
        pause, notes = FIRST_POLL_SECONDS, []
        show(_progress(start, start, tasks))
        while True:
            notes += [note for note in self.collect().notes if note not in notes]
            state = self.ledger.view()
            show(_progress(start, state, tasks))
            if not _open(state, tasks):
                break
            sleep(max(pause, self._retry_after) * random.uniform(1.0, 1.2))  # noqa: S311 - jitter
            pause = min(pause * 1.5, MAX_POLL_SECONDS)
        return self._since(start, self.ledger.view(), notes)

    def _since(
        self, before: LedgerState, after: LedgerState, notes: Sequence[str]
    ) -> CollectResult:
        return CollectResult(
            tuple(_batches(before, after, self.now())),
            _fresh(before, after),
            tuple(notes),
            lost_usd=sum_lost_reservations(_fresh_at_once(before, after)),
        )

    def _fetch(self, record: BatchRecord, fact: Submitted) -> Iterator[str]:
        try:
            found = self.anthropic.retrieve_batch(fact.batch)
            if found.status != "ended":
                self._retry_after = max(self._retry_after, found.retry_after or 0.0)
                return
            lines = self.anthropic.stream_results(fact.batch)
            self._record(record, parse_results(lines, response_validator(record)))
        except CannotFind:
            yield self._missing(fact)

    def _record(self, record: BatchRecord, raws: Iterable[BatchResult]) -> None:
        """Record a portion at a time, so that an interruption loses one and memory holds one."""
        keep = self.keep_findings and len(record.requests) <= MAX_REQUESTS_WITH_FINDINGS
        recorder = AnswerRecorder(record, self.prices, self.now(), self.run, keep)
        portion: list[BatchResult] = []
        for raw in raws:
            if len(portion) == self.portion_size:
                self.ledger.transact(partial(recorder.record, results=portion))
                portion = []
            portion.append(raw)
        self.ledger.transact(partial(recorder.record_final, results=portion))

    def _missing(self, fact: Submitted) -> str:
        """A note about a batch that the API does not have; the others are still collected."""
        if self.now() < fact.created_at + RESULTS_AVAILABLE:
            return f"the API has no batch {fact.batch}: is this key of another workspace?"
        stamp = Stamp(self.run, fact.repo, self.now)
        lost = stamp.event(BatchStatus, batch=fact.batch, status="lost")
        self.ledger.transact(lambda state: Write((lost,)))
        return f"batch {fact.batch} is lost: the API keeps results for 29 days; its tasks are free"

    def _recover_unconfirmed(self, state: LedgerState) -> Iterator[str]:
        unconfirmed = recovery.unconfirmed_batches(state)
        if not unconfirmed:
            return
        listing = self.anthropic.list_batches(recovery.earliest_creation(unconfirmed))
        ours = recovery.claimed_batch_ids(state)
        for record in unconfirmed:
            possible = recovery.find_candidates(record, listing.batches, ours)
            found = [(batch, self._belongs_to(record, batch)) for batch in possible]
            recorder = AnswerRecorder(record, self.prices, self.now(), self.run)
            yield from self._resolve(
                BatchRecovery(recorder, found, listing.listed_at or self.now())
            )

    def _resolve(self, search: BatchRecovery) -> Iterator[str]:
        notes: list[str] = []

        def decide(state: LedgerState) -> Write:
            written, note = search.resolve(state)
            notes[:] = [note] if note else []
            return written

        self.ledger.transact(decide)
        yield from notes

    def _belongs_to(self, record: BatchRecord, batch: RemoteBatch) -> bool | None:
        """Return True if the results of a batch name the requests of this intent.

        A foreign batch is read once.
        """
        if batch.status != "ended":
            return None
        pair = record.intent.id, batch.id
        if pair not in self._foreign and self._is_named(record, batch):
            return True
        self._foreign.add(pair)
        return False

    def _is_named(self, record: BatchRecord, batch: RemoteBatch) -> bool:
        try:
            raws = parse_results(self.anthropic.stream_results(batch.id), None)
            return recovery.has_results_of(record, [raw.custom_id for raw in raws])
        except CannotFind:
            return False  # after 29 days nothing of it can be had, whosever it was


def _batches(before: LedgerState, after: LedgerState, now: datetime) -> Iterator[tuple[str, str]]:
    """The batches that were open at the start, with their present status."""
    for record in before.open_batches():
        current = after.batch_records[record.intent.id]
        name = current.submitted.batch if current.submitted else current.intent.id
        yield name, current.status(now)


def _fresh(before: LedgerState, after: LedgerState) -> Answers:
    places: list[tuple[LazyRows[AnswerRecorded], int]] = []
    for record in after.batch_records.values():
        places += ((record.answers, n) for n in _new(before, record))
    return Answers(tuple(places))


def _fresh_at_once(
    before: LedgerState, after: LedgerState
) -> Iterator[tuple[RequestRecorded, AnswerRecorded]]:
    """Return the answers of lane `now` that this run recorded, with their requests."""
    for record in after.batch_records.values():
        if record.intent.lane == "now":
            for n in _new(before, record):
                yield record.requests[n], record.answers[n]


def _new(before: LedgerState, record: BatchRecord) -> list[int]:
    old = before.batch_records.get(record.intent.id)
    return sorted(record.answers.keys() - (old.answers.keys() if old else set()))


def _open(state: LedgerState, tasks: AbstractSet[TaskId] | None) -> list[BatchRecord]:
    found = state.open_batches()
    if tasks is None:
        return found
    return [
        record
        for record in found
        if any(task.id in tasks for asked in record.requests.values() for task in asked.tasks)
    ]


def _progress(
    start: LedgerState, state: LedgerState, tasks: AbstractSet[TaskId] | None
) -> Progress:
    watched = [state.batch_records[record.intent.id] for record in _open(start, tasks)]
    return Progress(
        sum(record.intent.requests for record in watched),
        sum(len(record.answers) for record in watched),
    )


def collect(steps: Sequence[Callable[[], CollectResult]], *, wait: bool) -> CollectResult:
    """Run the steps: collecting, retries, second looks. With `wait`, repeat while they send."""
    results: list[CollectResult] = []
    while True:
        results += (done := [step() for step in steps])
        if not wait or not any(result.sent for result in done):
            return merge_results(results)
