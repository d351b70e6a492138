"""Find out whether a batch was created when the outcome of the create call is unknown. The API has
no idempotency key, so the list of batches is searched.

A candidate was created about when the intent was claimed, has as many requests, and belongs to no
other intent of this ledger. Only the results of an ended batch name the intent. Until then no
candidate is adopted, because an equal batch may be that of another job.

The clocks of runners may be wrong, so every `now` here is the API's. A sender stops when its lease
has passed on its own clock, counted from the claim. The claim is older than the first lookup of its
batch. So the sender has stopped when as much time has passed since that lookup, if both clocks run
at the same rate. LISTING_DELAY is added for listings that lag behind and for slow create calls. An
intent whose batch is not listed then was never sent.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never

from claude_batch.anthropic_api.models import BatchId, RemoteBatch
from claude_batch.batches.batching import batch_times
from claude_batch.batches.record_answers import UNDECIDED, AnswerRecorder
from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.events import BatchLookup, Submitted
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import LedgerState

# A runner's clock may be off by this much: local time taken for UTC is off by 14 hours at most. It
# may be wide, because the results decide.
MAX_CLOCK_SKEW = timedelta(days=1)
LISTING_DELAY = timedelta(minutes=10)
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AdoptBatch:
    batch: RemoteBatch


@dataclass(frozen=True, slots=True)
class AbandonIntent:
    reason: str


@dataclass(frozen=True, slots=True)
class CheckAgain:
    candidates: tuple[BatchId, ...]


RecoveryDecision = AdoptBatch | AbandonIntent | CheckAgain


def is_unconfirmed(record: BatchRecord) -> bool:
    return record.is_open() and record.submitted is None


def unconfirmed_batches(state: LedgerState) -> list[BatchRecord]:
    """Open intents without a recorded batch. Lane now never has one."""
    return [record for record in state.open_batches() if is_unconfirmed(record)]


def earliest_creation(records: Iterable[BatchRecord]) -> datetime:
    """The earliest time at which a batch of these intents may have been created."""
    claims = (record.intent.at for record in records if record.intent.lane == "batch")
    return min((at - MAX_CLOCK_SKEW for at in claims), default=NEVER)


def claimed_batch_ids(state: LedgerState) -> set[BatchId]:
    return {record.submitted.batch for record in state.batch_records.values() if record.submitted}


def find_candidates(
    record: BatchRecord, listed: Iterable[RemoteBatch], claimed: Collection[BatchId]
) -> list[RemoteBatch]:
    """The listed batches that may belong to the intent."""
    intent = record.intent
    return [
        batch
        for batch in listed
        if intent.lane == "batch"
        and _may_be_created_for(record, batch.created_at)
        and batch.requests in (None, intent.requests)
        and batch.id not in claimed
    ]


def _may_be_created_for(record: BatchRecord, created_at: datetime | None) -> bool:
    if created_at is None:
        return True
    return record.intent.at - MAX_CLOCK_SKEW <= created_at <= _proof_time(record)


def has_results_of(record: BatchRecord, custom_ids: Collection[str]) -> bool | None:
    """Return True if the results of a batch are those of this intent.

    None: there are no results, so they were cut off.
    """
    if not custom_ids:
        return None
    return any(name.startswith(f"{record.intent.id}-") for name in custom_ids)


def decide_recovery(
    record: BatchRecord, candidates: Iterable[tuple[RemoteBatch, bool | None]], now: datetime
) -> RecoveryDecision:
    """Decide by the candidates, each with True if its results name this intent; None: not ended."""
    possible: list[BatchId] = []
    for batch, is_named in candidates:
        if is_named:
            return AdoptBatch(batch)
        if is_named is None:
            possible.append(batch.id)
    empty = [lookup.at for lookup in record.lookups if not lookup.candidates]
    is_confirmed = bool(empty) and now - min(empty) >= LISTING_DELAY
    if not possible and is_confirmed and now >= _proof_time(record):
        return AbandonIntent(
            "no listing shows a batch of this intent, and the time of its sender is over"
        )
    return CheckAgain(tuple(possible))


def is_new_lookup(record: BatchRecord, decision: CheckAgain) -> bool:
    """Return True unless an equal lookup is recorded already."""
    return not record.lookups or record.lookups[-1].candidates != decision.candidates


def was_never_created(record: BatchRecord) -> bool:
    """Return True if the search abandoned the intent, and not its sender after a refusal."""
    return bool(record.abandoned and record.lookups) and record.lookups[-1].at >= _proof_time(
        record
    )


def _proof_time(record: BatchRecord) -> datetime:
    """The time from which on a listing shows the batch if there is one."""
    if not record.lookups:
        return NEVER
    return record.lookups[0].at + _lease(record) + LISTING_DELAY


def _lease(record: BatchRecord) -> timedelta:
    # The requests have the time of the claim. A renewed intent has a later one, of the same clock.
    first = next(iter(record.requests.values()), record.intent)
    return record.intent.lease_until - first.at


@dataclass(frozen=True)
class BatchRecovery:
    recorder: AnswerRecorder
    candidates: Sequence[tuple[RemoteBatch, bool | None]]  # as in `decide_recovery`
    listed_at: datetime  # by the API's clock

    def resolve(self, state: LedgerState) -> tuple[Write, str]:
        """The events and a note for people, empty while the sender may still be active."""
        record = state.batch_records[self.recorder.batch.intent.id]
        if not is_unconfirmed(record):
            return Write(), ""  # another run has resolved it
        name, is_now = record.intent.id, record.intent.lane == "now"
        match decide_recovery(record, self.candidates, self.listed_at):
            case AdoptBatch(batch):
                note = f"batch {batch.id} was found again and adopted for intent {name}"
                return Write((self._adopted(batch),)), note
            case AbandonIntent() if is_now:
                note = f"intent {name} of the lane now: {UNDECIDED}"
                return self.recorder.record_unknown(state), note
            case AbandonIntent(reason):
                abandoned = self.recorder.abandon(reason)
                note = f"intent {name} was never sent: {reason}; its tasks are free again"
                return Write((self._lookup(()), *abandoned.events)), note
            case CheckAgain(candidates) as decision:
                lookup = (self._lookup(candidates),) if is_new_lookup(record, decision) else ()
                return Write(lookup), "" if is_now else self._undecided(record, len(candidates))
            case decision:
                assert_never(decision)

    def _undecided(self, record: BatchRecord, candidates: int) -> str:
        if record.status(self.listed_at) != "undecided":
            return ""
        return f"intent {record.intent.id} is undecided: {candidates} batches might be it"

    def _lookup(self, candidates: tuple[BatchId, ...]) -> BatchLookup:
        intent = self.recorder.batch.intent
        return self.recorder.stamp.event(
            BatchLookup, at=self.listed_at, intent=intent.id, candidates=candidates
        )

    def _adopted(self, batch: RemoteBatch) -> Submitted:
        intent = self.recorder.batch.intent
        return self.recorder.stamp.event(
            Submitted,
            intent=intent.id,
            batch=batch.id,
            **batch_times(batch, intent.at),
            adopted=True,
        )
