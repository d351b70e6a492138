"""`collect`: record the results of ended batches; with `wait`, until no batch is open."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.models import BatchId, BatchListing, RemoteBatch
from claude_batch.batches import recovery
from claude_batch.batches.collect_result import (
    Answers,
    CollectResult,
    Progress,
    merge_results,
)
from claude_batch.batches.fetch import BatchFetcher, BatchLost
from claude_batch.batches.record_answers import AnswerRecorder, parse_results
from claude_batch.batches.recovery import BatchRecovery
from claude_batch.batches.status import batch_warnings, foreign_key_warning, is_overdue
from claude_batch.costs.prices import Prices
from claude_batch.costs.receipts import sum_lost_reservations
from claude_batch.errors import CannotCollect, CannotFind
from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.events import AnswerRecorded, IntentId, RequestRecorded
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import TaskId

FIRST_POLL_SECONDS = 5.0  # then half as long again each time
MAX_POLL_SECONDS = 60.0
MAX_FAILED_ROUNDS = 5  # of a wait, in a row, in which every open batch fails
PORTION_SIZE = 5_000  # answers that are recorded at once
MAX_RETRIEVED = 3  # the state of more open batches is read from a listing
LISTING_MARGIN = timedelta(minutes=10)


@dataclass(frozen=True)
class WaitLimits:
    interval: float | None = None  # seconds between two looks; None: more and more
    until: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        return self.until is not None and now >= self.until

    def shorten(self, seconds: float, now: datetime) -> float:
        return seconds if self.until is None else min(seconds, (self.until - now).total_seconds())


UNLIMITED = WaitLimits()


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
    _errors: dict[str, str] = field(default_factory=dict, init=False)  # of a round, by batch
    _retry_after: float = field(default=0.0, init=False)  # seconds that the API asks to wait

    def collect(self) -> CollectResult:
        """Check every open batch once. A batch that fails is named, and the others go on."""
        self._errors.clear()
        before = self.ledger.view()
        listing, notes = self._list(before)
        if listing:
            notes += self._recover_unconfirmed(before, listing)
        notes += self._fetch_all(listing)
        after = self.ledger.view()
        notes += batch_warnings(after, self.now())
        return self._since(before, after, notes)

    def wait(
        self,
        sleep: Callable[[float], None],
        show: Callable[[Progress], None],
        tasks: AbstractSet[TaskId] | None = None,
        limits: WaitLimits = UNLIMITED,
    ) -> CollectResult:
        """Collect until no batch is open, or none with one of `tasks`. It may be interrupted.

        It ends too when only batches are left that another key has sent, that are long overdue,
        or that fail again and again.
        """
        start = self.ledger.view()
        if not self._watched(start, tasks):
            return self.collect()
        pause, notes, failed_rounds = FIRST_POLL_SECONDS, [], 0
        show(_progress(start, start, tasks))
        while True:
            notes += [note for note in self.collect().notes if note not in notes]
            state = self.ledger.view()
            show(_progress(start, state, tasks))
            watched = {record.name for record in self._watched(state, tasks)}
            failed_rounds = failed_rounds + 1 if watched <= self._errors.keys() else 0
            is_over = limits.is_over(self.now())
            if not watched or failed_rounds == MAX_FAILED_ROUNDS or is_over:
                break
            jitter = random.uniform(1.0, 1.2)  # noqa: S311 - no secret
            wanted = max(limits.interval or pause * jitter, self._retry_after)
            sleep(limits.shorten(wanted, self.now()))
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
            errors=tuple(self._errors.items()),
        )

    def _is_own(self, record: BatchRecord) -> bool:
        """True if the API shows the batch to our key. Lane now has nothing that it could show."""
        return record.intent.lane == "now" or record.is_sent_by(self.anthropic.key_scope)

    def _watched(self, state: LedgerState, tasks: AbstractSet[TaskId] | None) -> list[BatchRecord]:
        return [
            record
            for record in _open(state, tasks)
            if self._is_own(record) and not is_overdue(record, self.now())
        ]

    def _list(self, state: LedgerState) -> tuple[BatchListing | None, list[str]]:
        """List batches to find those of doubtful intents, or the states of many at once."""
        unconfirmed = [*filter(self._is_own, recovery.unconfirmed_batches(state))]
        created = [
            record.submitted.created_at
            for record in filter(self._is_own, state.open_batches())
            if record.submitted
        ]
        since = recovery.earliest_creation(unconfirmed)
        if len(created) > MAX_RETRIEVED:
            since = min(since, min(created) - LISTING_MARGIN)
        elif not unconfirmed:
            return None, []
        try:
            return self.anthropic.list_batches(since), []
        except CannotCollect as error:
            self._errors |= {record.intent.id: error.problem for record in unconfirmed}
            return None, [f"the batches cannot be listed: {error.problem}"]

    def _fetch_all(self, listing: BatchListing | None) -> Iterator[str]:
        known = {batch.id: batch for batch in listing.batches} if listing else {}
        fetcher = BatchFetcher(
            *(self.ledger, self.anthropic, self.prices, self.run, self.now),
            keep_findings=self.keep_findings,
            portion_size=self.portion_size,
        )
        for record in self.ledger.view().open_batches():
            if not self._is_own(record):
                yield from foreign_key_warning(record, self.now())
            elif record.submitted:
                yield from self._fetch(fetcher, record, known)
        self._retry_after = fetcher.retry_after

    def _fetch(
        self, fetcher: BatchFetcher, record: BatchRecord, known: Mapping[BatchId, RemoteBatch]
    ) -> Iterator[str]:
        if not record.submitted:
            return
        batch = record.submitted.batch
        try:
            fetcher.fetch(record, record.submitted, known)
        except BatchLost as loss:
            yield f"batch {batch}: {loss.problem}"
        except CannotCollect as error:
            self._errors[batch] = error.problem
            yield f"batch {batch}: {error.problem}; {error.remedy}"

    def _recover_unconfirmed(self, state: LedgerState, listing: BatchListing) -> Iterator[str]:
        claimed = recovery.claimed_batch_ids(state)
        for record in filter(self._is_own, recovery.unconfirmed_batches(state)):
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

        None: that cannot be told yet. A foreign batch is read once.
        """
        pair = record.intent.id, batch.id
        if batch.status != "ended":
            return None
        if pair in self._foreign:
            return False
        is_named = self._is_named(record, batch)
        if is_named is False:
            self._foreign.add(pair)
        return is_named

    def _is_named(self, record: BatchRecord, batch: RemoteBatch) -> bool | None:
        try:
            results = parse_results(self.anthropic.stream_results(batch.id), None)
            return recovery.has_results_of(record, [result.custom_id for result in results])
        except CannotFind:
            return False  # its results are deleted after 29 days
        except CannotCollect as error:
            self._errors[record.intent.id] = error.problem
            return None


def _batch_statuses(
    before: LedgerState, after: LedgerState, now: datetime
) -> Iterator[tuple[str, str]]:
    """The batches that were open at the start, with their present status."""
    for record in before.open_batches():
        current = after.batch_records[record.intent.id]
        yield current.name, current.status(now)


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
