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

FIRST_POLL_SECONDS = 5.0  # then half as long again each time
MAX_POLL_SECONDS = 60.0
# The findings of a larger batch are fetched from the API when they are needed.
MAX_REQUESTS_WITH_FINDINGS = 5_000
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
    _retry_after: float = field(default=0.0, init=False)  # seconds that the API asks to wait

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
        """Collect until no batch is open, or none with one of `tasks`. It may be interrupted."""
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
            tuple(_batch_statuses(before, after, self.now())),
            _new_answers(before, after),
            tuple(notes),
            lost_usd=sum_lost_reservations(_new_immediate_pairs(before, after)),
        )

    def _fetch(self, record: BatchRecord, submitted: Submitted) -> Iterator[str]:
        try:
            batch = self.anthropic.retrieve_batch(submitted.batch)
            if batch.status != "ended":
                self._retry_after = max(self._retry_after, batch.retry_after or 0.0)
                return
            lines = self.anthropic.stream_results(submitted.batch)
            self._record(record, parse_results(lines, response_validator(record)))
        except CannotFind:
            yield self._record_missing(submitted)

    def _record(self, record: BatchRecord, results: Iterable[BatchResult]) -> None:
        """Record a portion at a time, so that an interruption loses one and memory holds one."""
        keep = self.keep_findings and len(record.requests) <= MAX_REQUESTS_WITH_FINDINGS
        recorder = AnswerRecorder(record, self.prices, self.now(), self.run, keep)
        portion: list[BatchResult] = []
        for result in results:
            if len(portion) == self.portion_size:
                self.ledger.transact(partial(recorder.record, results=portion))
                portion = []
            portion.append(result)
        self.ledger.transact(partial(recorder.record_final, results=portion))

    def _record_missing(self, submitted: Submitted) -> str:
        """Return a note about a batch that the API does not have."""
        batch = submitted.batch
        if self.now() < submitted.created_at + RESULTS_AVAILABLE:
            return f"the API has no batch {batch}: is this key of another workspace?"
        stamp = Stamp(self.run, submitted.repo, self.now)
        lost = stamp.event(BatchStatus, batch=batch, status="lost")
        self.ledger.transact(lambda state: Write((lost,)))
        return f"batch {batch} is lost: the API keeps results for 29 days; its tasks are free"

    def _recover_unconfirmed(self, state: LedgerState) -> Iterator[str]:
        unconfirmed = recovery.unconfirmed_batches(state)
        if not unconfirmed:
            return
        listing = self.anthropic.list_batches(recovery.earliest_creation(unconfirmed))
        claimed = recovery.claimed_batch_ids(state)
        for record in unconfirmed:
            listed = recovery.find_candidates(record, listing.batches, claimed)
            candidates = [(batch, self._belongs_to(record, batch)) for batch in listed]
            recorder = AnswerRecorder(record, self.prices, self.now(), self.run)
            listed_at = listing.listed_at or self.now()
            yield from self._resolve(BatchRecovery(recorder, candidates, listed_at))

    def _resolve(self, search: BatchRecovery) -> Iterator[str]:
        note = ""

        def decide(state: LedgerState) -> Write:
            nonlocal note
            write, note = search.resolve(state)
            return write

        self.ledger.transact(decide)
        if note:
            yield note

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
            results = parse_results(self.anthropic.stream_results(batch.id), None)
            return recovery.has_results_of(record, [result.custom_id for result in results])
        except CannotFind:
            return False  # its results are deleted after 29 days


def _batch_statuses(
    before: LedgerState, after: LedgerState, now: datetime
) -> Iterator[tuple[str, str]]:
    """The batches that were open at the start, with their present status."""
    for record in before.open_batches():
        current = after.batch_records[record.intent.id]
        name = current.submitted.batch if current.submitted else current.intent.id
        yield name, current.status(now)


def _new_answers(before: LedgerState, after: LedgerState) -> Answers:
    return Answers(tuple((record.answers, n) for record, n in _new_positions(before, after)))


def _new_immediate_pairs(
    before: LedgerState, after: LedgerState
) -> Iterator[tuple[RequestRecorded, AnswerRecorded]]:
    """The answers of lane `now` that this run recorded, with their requests."""
    for record, n in _new_positions(before, after):
        if record.intent.lane == "now":
            yield record.requests[n], record.answers[n]


def _new_positions(before: LedgerState, after: LedgerState) -> Iterator[tuple[BatchRecord, int]]:
    for intent, record in after.batch_records.items():
        old = before.batch_records.get(intent)
        new = record.answers.keys() - (old.answers.keys() if old else set())
        yield from ((record, n) for n in sorted(new))


def _open(state: LedgerState, tasks: AbstractSet[TaskId] | None) -> list[BatchRecord]:
    return [
        record
        for record in state.open_batches()
        if tasks is None
        or any(task.id in tasks for request in record.requests.values() for task in request.tasks)
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
        results += (latest := [step() for step in steps])
        if not wait or not any(result.sent for result in latest):
            return merge_results(results)
