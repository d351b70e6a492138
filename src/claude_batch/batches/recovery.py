"""An intent without a fact: was it sent after all? The API has no idempotency key, so we look.

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
from typing import Protocol, TypeVar, assert_never

from claude_batch.anthropic_api.models import BatchId
from claude_batch.batches.record_answers import UNDECIDED, AnswerRecorder
from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.events import BatchLookup, Submitted
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import LedgerState

# How far a runner's clock may be ahead: a time of another zone taken for UTC is 14 hours off at
# most. It may be wide, because the results decide.
AHEAD = timedelta(days=1)
APART = timedelta(minutes=10)
NEVER = datetime.max.replace(tzinfo=UTC)


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
class AdoptBatch:
    batch: Listed


@dataclass(frozen=True, slots=True)
class AbandonIntent:
    reason: str


@dataclass(frozen=True, slots=True)
class CheckAgain:
    candidates: tuple[BatchId, ...]


RecoveryDecision = AdoptBatch | AbandonIntent | CheckAgain


def is_unconfirmed(sending: BatchRecord) -> bool:
    return sending.is_open() and sending.submitted is None


def unconfirmed_batches(view: LedgerState) -> list[BatchRecord]:
    """Whose sender may be dead, or at it: what has no fact. The lane now never has one."""
    return [sending for sending in view.open_batches() if is_unconfirmed(sending)]


def earliest_creation(doubts: Iterable[BatchRecord]) -> datetime:
    """Batches that were created earlier belong to none of them."""
    batches = (one.intent.at - AHEAD for one in doubts if one.intent.lane == "batch")
    return min(batches, default=NEVER)


def claimed_batch_ids(view: LedgerState) -> set[BatchId]:
    return {sending.submitted.batch for sending in view.batch_records.values() if sending.submitted}


def candidates_of(
    sending: BatchRecord, listed: Iterable[Batch], ours: Collection[BatchId]
) -> list[Batch]:
    """Those that may be it, from what the listing says."""
    intent = sending.intent
    return [
        batch
        for batch in listed
        if intent.lane == "batch"
        and intent.at - AHEAD <= batch.created_at <= _proof(sending)
        and batch.requests == intent.requests
        and batch.id not in ours
    ]


def is_of(sending: BatchRecord, custom_ids: Iterable[str]) -> bool:
    """Whether the results of a batch are those of this intent."""
    return any(name.startswith(f"{sending.intent.id}-") for name in custom_ids)


def resolve(
    sending: BatchRecord, candidates: Iterable[tuple[Listed, bool | None]], now: datetime
) -> RecoveryDecision:
    """Each candidate with whether its results are those of this intent; None: not known yet."""
    rows = list(candidates)
    for batch, is_it in rows:
        if is_it:
            return AdoptBatch(batch)
    possible = tuple(batch.id for batch, is_it in rows if is_it is None)
    seen_none = [look.at for look in sending.looks if not look.candidates]
    if not possible and seen_none and now - min(seen_none) >= APART and now >= _proof(sending):
        return AbandonIntent(
            "no listing shows a batch of this intent, and the time of its sender is over"
        )
    return CheckAgain(possible)


def is_news(sending: BatchRecord, verdict: CheckAgain) -> bool:
    """Whether it is to be recorded. Somebody who waits may look every minute for a day."""
    return not sending.looks or sending.looks[-1].candidates != verdict.candidates


def was_never_created(sending: BatchRecord) -> bool:
    """Voided by who looked for it, and not by its sender, to whom the API said no."""
    return bool(sending.voided and sending.looks) and sending.looks[-1].at >= _proof(sending)


def _proof(sending: BatchRecord) -> datetime:
    """From then on a listing shows the batch if there is one."""
    if not sending.looks:
        return NEVER
    return sending.looks[0].at + _lease(sending) + APART


def _lease(sending: BatchRecord) -> timedelta:
    """From the claim, which has the time of its requests, until the latest intent ends: two
    readings of one clock."""
    first = next(iter(sending.requests.values()), sending.intent)
    return sending.intent.lease_until - first.at


@dataclass(frozen=True)
class BatchRecovery:
    recorder: AnswerRecorder
    found: Sequence[tuple[Listed, bool | None]]  # as `doubt.resolve` wants them
    at: datetime  # when they were listed, by the service's clock

    def resolve(self, view: LedgerState) -> tuple[Write, str]:
        """With a note, or without one: while a sender may be at it there is nothing to tell."""
        sending = view.batch_records[self.recorder.sending.intent.id]
        if not is_unconfirmed(sending):
            return Write(), ""  # somebody else has settled it
        name, is_now = sending.intent.id, sending.intent.lane == "now"
        match resolve(sending, self.found, self.at):
            case AdoptBatch(batch):
                said = f"batch {batch.id} was found again and adopted for intent {name}"
                return Write((self._adopted(batch),)), said
            case AbandonIntent() if is_now:
                return self.recorder.record_unknown(
                    view
                ), f"intent {name} of the lane now: {UNDECIDED}"
            case AbandonIntent(reason):
                voided = self.recorder.voided(reason)
                said = f"intent {name} was never sent: {reason}; its tasks are free again"
                return Write((self._looked(()), *voided.events)), said
            case CheckAgain(candidates) as verdict:
                news = (self._looked(candidates),) if is_news(sending, verdict) else ()
                return Write(news), "" if is_now else self._undecided(sending, len(candidates))
            case verdict:
                assert_never(verdict)

    def _undecided(self, sending: BatchRecord, candidates: int) -> str:
        if sending.status(self.at) != "undecided":
            return ""
        return f"intent {sending.intent.id} is undecided: {candidates} batches might be it"

    def _looked(self, candidates: tuple[BatchId, ...]) -> BatchLookup:
        intent = self.recorder.sending.intent
        return BatchLookup(
            at=self.at,
            run=self.recorder.run,
            repo=intent.repo,
            intent=intent.id,
            candidates=candidates,
        )

    def _adopted(self, batch: Listed) -> Submitted:
        intent = self.recorder.sending.intent
        return Submitted(
            at=self.recorder.now,
            run=self.recorder.run,
            repo=intent.repo,
            intent=intent.id,
            batch=batch.id,
            created_at=batch.created_at,
            expires_at=batch.expires_at,
            adopted=True,
        )
