"""Find out whether a batch was created when the outcome of the create call is unknown. The API has
no idempotency key, so the list of batches is searched.

A batch that was created about when the intent was claimed, holds as many requests and belongs to
no other intent of ours may be it. Only its results, when it has ended, name the intent; until then
nothing is adopted, because a twin may be another job's that is about to record it.

The clocks of runners may be wrong, so none of them says when a sender's time is over: every `now`
here is the service's. A sender stops when its own clock has gone on by the length of its lease
since the claim. Whoever looks finds the claim in the ledger, so it is older than the first look,
and the same length counted from there ends no earlier, however wrong the `at` of the claim is.
That both clocks go evenly is all that is asked of them. Ten minutes more are for listings that lag
behind and for what takes long to arrive; a batch that still is not there was never sent.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never

from claude_batch.anthropic_api.models import BatchId, RemoteBatch
from claude_batch.batches.record_answers import UNDECIDED, AnswerRecorder
from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.events import BatchLookup, Submitted
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import LedgerState

# How far a runner's clock may be ahead: a time of another zone taken for UTC is 14 hours off at
# most. It may be wide, because the results decide.
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


def earliest_creation(doubts: Iterable[BatchRecord]) -> datetime:
    """Batches that were created earlier belong to none of them."""
    batches = (one.intent.at - MAX_CLOCK_SKEW for one in doubts if one.intent.lane == "batch")
    return min(batches, default=NEVER)


def claimed_batch_ids(state: LedgerState) -> set[BatchId]:
    return {record.submitted.batch for record in state.batch_records.values() if record.submitted}


def find_candidates(
    record: BatchRecord, listed: Iterable[RemoteBatch], ours: Collection[BatchId]
) -> list[RemoteBatch]:
    """The listed batches that may belong to the intent."""
    intent = record.intent
    return [
        batch
        for batch in listed
        if intent.lane == "batch"
        and intent.at - MAX_CLOCK_SKEW <= batch.created_at <= _proof(record)
        and batch.requests == intent.requests
        and batch.id not in ours
    ]


def has_results_of(record: BatchRecord, custom_ids: Iterable[str]) -> bool:
    """Return True if the results of a batch are those of this intent."""
    return any(name.startswith(f"{record.intent.id}-") for name in custom_ids)


def decide_recovery(
    record: BatchRecord, candidates: Iterable[tuple[RemoteBatch, bool | None]], now: datetime
) -> RecoveryDecision:
    """Each candidate with whether its results are those of this intent; None: not known yet."""
    rows = list(candidates)
    for batch, is_ours in rows:
        if is_ours:
            return AdoptBatch(batch)
    possible = tuple(batch.id for batch, is_ours in rows if is_ours is None)
    seen_none = [look.at for look in record.lookups if not look.candidates]
    if (
        not possible
        and seen_none
        and now - min(seen_none) >= LISTING_DELAY
        and now >= _proof(record)
    ):
        return AbandonIntent(
            "no listing shows a batch of this intent, and the time of its sender is over"
        )
    return CheckAgain(possible)


def is_new_lookup(record: BatchRecord, decision: CheckAgain) -> bool:
    """Return True unless an equal lookup is recorded already."""
    return not record.lookups or record.lookups[-1].candidates != decision.candidates


def was_never_created(record: BatchRecord) -> bool:
    """Return True if the search abandoned the intent, and not its sender after a refusal."""
    return bool(record.abandoned and record.lookups) and record.lookups[-1].at >= _proof(record)


def _proof(record: BatchRecord) -> datetime:
    """From then on a listing shows the batch if there is one."""
    if not record.lookups:
        return NEVER
    return record.lookups[0].at + _lease(record) + LISTING_DELAY


def _lease(record: BatchRecord) -> timedelta:
    """From the claim, which has the time of its requests, until the latest intent ends: two
    readings of one clock."""
    first = next(iter(record.requests.values()), record.intent)
    return record.intent.lease_until - first.at


@dataclass(frozen=True)
class BatchRecovery:
    recorder: AnswerRecorder
    candidates: Sequence[tuple[RemoteBatch, bool | None]]  # as `doubt.resolve` wants them
    listed_at: datetime  # when they were listed, by the service's clock

    def resolve(self, state: LedgerState) -> tuple[Write, str]:
        """The events and a note for people, empty while the sender may still be active."""
        record = state.batch_records[self.recorder.batch.intent.id]
        if not is_unconfirmed(record):
            return Write(), ""  # somebody else has settled it
        name, is_now = record.intent.id, record.intent.lane == "now"
        match decide_recovery(record, self.candidates, self.listed_at):
            case AdoptBatch(batch):
                said = f"batch {batch.id} was found again and adopted for intent {name}"
                return Write((self._adopted(batch),)), said
            case AbandonIntent() if is_now:
                return self.recorder.record_unknown(
                    state
                ), f"intent {name} of the lane now: {UNDECIDED}"
            case AbandonIntent(reason):
                voided = self.recorder.abandon(reason)
                said = f"intent {name} was never sent: {reason}; its tasks are free again"
                return Write((self._looked(()), *voided.events)), said
            case CheckAgain(candidates) as decision:
                news = (self._looked(candidates),) if is_new_lookup(record, decision) else ()
                return Write(news), "" if is_now else self._undecided(record, len(candidates))
            case decision:
                assert_never(decision)

    def _undecided(self, record: BatchRecord, candidates: int) -> str:
        if record.status(self.listed_at) != "undecided":
            return ""
        return f"intent {record.intent.id} is undecided: {candidates} batches might be it"

    def _looked(self, candidates: tuple[BatchId, ...]) -> BatchLookup:
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
            created_at=batch.created_at,
            expires_at=batch.expires_at,
            adopted=True,
        )
