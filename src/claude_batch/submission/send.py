"""Sending what is claimed: each batch after its intent, and what became of it right after."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.results import BatchResult, parse_message
from claude_batch.batches.batching import FOLLOWS_A_PRIMER, LEASE, PlannedBatch, SentBatch
from claude_batch.batches.record_answers import AnswerRecorder, response_validator
from claude_batch.costs.prices import Prices
from claude_batch.errors import CannotRecord, CannotSubmit, SubmitUnclear
from claude_batch.formatting import count
from claude_batch.ledger.events import Intent, IntentAbandoned, Stamp, Submitted
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState

# From the claim on. What follows a primer is sent well before its LEASE runs out.
MAX_PRIMER_WAIT = timedelta(minutes=20)
POLL_INTERVAL = 15.0  # seconds


class BatchPlan(Protocol):
    """A plan of a submission or of second looks: its batches and their ledger write."""

    @property
    def batches(self) -> Sequence[PlannedBatch]: ...
    @property
    def write(self) -> Write: ...


AnyPlan = TypeVar("AnyPlan", bound=BatchPlan)


@dataclass(frozen=True)
class PrimerWait:
    """Waits for primers, so that those who follow find in the cache what they wrote."""

    anthropic: AnthropicClient
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    report: Callable[[str], None]

    def wait(self, primers: Iterable[BatchId], parcel: PlannedBatch) -> None:
        """Or until it would be too long. Raises CannotCollect."""
        latest = parcel.intent.at + MAX_PRIMER_WAIT
        self.report(
            f"{count(len(parcel.requests), 'request')} wait until what they share is in the cache, "
            f"{MAX_PRIMER_WAIT.seconds // 60} minutes at most"
        )
        for primer in primers:
            while self.now() < latest and self.anthropic.retrieve_batch(primer).status != "ended":
                self.sleep(POLL_INTERVAL)


@dataclass(frozen=True)
class BatchSender:
    ledger: Ledger
    anthropic: AnthropicClient
    prices: Prices
    now: Callable[[], datetime]
    primer_wait: PrimerWait | None = None  # None: what follows a primer is sent at once

    def claim(self, decide: Callable[[LedgerState], AnyPlan]) -> AnyPlan:
        """What is claimed is in the ledger before it costs. Raises what `decide` raises."""
        decisions: list[AnyPlan] = []

        def write(view: LedgerState) -> Write:
            decisions.append(decide(view))
            if decisions[-1].batches:
                self.anthropic.check_key()  # without one nothing can be sent, so nothing is claimed
            return decisions[-1].write

        try:
            self.ledger.transact(write)
        except KeyboardInterrupt:  # it may have landed all the same
            self._release(decisions[-1].batches if decisions else ())
            raise
        return decisions[-1]

    def send(self, batches: Iterable[PlannedBatch]) -> Iterator[SentBatch]:
        """In order. Whatever ends it early, nobody has to wait for what was not tried."""
        waiting = deque(batches)
        primers: list[BatchId] = []
        try:
            while waiting:
                if self.primer_wait and waiting[0].intent.follows == FOLLOWS_A_PRIMER:
                    self.primer_wait.wait(primers, waiting[0])
                parcel = waiting.popleft()
                sent = self._send(parcel)
                if sent.id and parcel.requests[0].event.purpose == "primer":
                    primers.append(sent.id)
                yield sent
        except KeyboardInterrupt:  # of what was being sent nobody knows how far it has come
            self._release(tuple(waiting))
            waiting.clear()
            raise
        finally:
            self._abandon(waiting, "what was to be sent before it could not be sent")

    def _send(self, parcel: PlannedBatch) -> SentBatch:
        tasks = sum(len(draft.event.tasks) for draft in parcel.requests)
        if parcel.intent.lane == "now":
            self._send_immediately(parcel)
            return SentBatch(None, len(parcel.requests), tasks, follows=parcel.intent.follows)
        fact = self._create(parcel)
        return SentBatch(
            fact.batch, len(parcel.requests), tasks, fact.expires_at, parcel.intent.follows
        )

    def _create(self, parcel: PlannedBatch) -> Submitted:
        self._check_lease(parcel, parcel.intent)
        try:
            remote = self.anthropic.create_batch(
                (draft.custom_id, draft.body) for draft in parcel.requests
            )
        except SubmitUnclear:
            raise  # the intent stays: `collect` looks whether the batch is there after all
        except CannotSubmit as refusal:
            self._abandon([parcel], refusal.problem)
            raise
        fact = self._stamp(parcel.intent).event(
            Submitted,
            intent=parcel.intent.id,
            batch=remote.id,
            created_at=remote.created_at,
            expires_at=remote.expires_at,
        )
        self.ledger.transact(lambda view: Write((fact,)))
        return fact

    def _stamp(self, intent: Intent) -> Stamp:
        return Stamp(intent.run, intent.repo, self.now)

    def _abandon(
        self, parcels: Collection[PlannedBatch], reason: str, *, patient: bool = True
    ) -> None:
        """Nothing more of them will be sent: what has no answer is free again."""
        facts = [
            self._stamp(parcel.intent).event(
                IntentAbandoned, intent=parcel.intent.id, reason=reason
            )
            for parcel in parcels
        ]

        def decide(view: LedgerState) -> Write:
            return Write(tuple(fact for fact in facts if fact.intent in view.batch_records))

        if facts:
            self.ledger.transact(decide, patient=patient)

    def _release(self, parcels: Collection[PlannedBatch]) -> None:
        """On the way out: who cancels a job gives it seconds. Else their lease frees them."""
        with suppress(CannotRecord):
            self._abandon(parcels, "interrupted before it was sent", patient=False)

    def _send_immediately(self, parcel: PlannedBatch) -> None:
        """Lane now: one answer at a time, each recorded before the next is paid for."""
        sending = self.ledger.view().batch_records[parcel.intent.id]
        intent = parcel.intent
        for draft in parcel.requests:
            self._check_lease(parcel, intent)
            recorder = AnswerRecorder(sending, self.prices, self.now(), parcel.intent.run)
            try:
                said = self.anthropic.create_message(draft.body.read())
                answer = parse_message(draft.custom_id, said, response_validator(sending))
            except SubmitUnclear:
                raise  # may be paid for: `collect` says so when the lease has run out
            except CannotSubmit as refusal:
                self._abandon([parcel], refusal.problem)
                raise
            intent = self._renewed(intent)
            self.ledger.transact(partial(_answered, recorder, answer, intent))

    def _check_lease(self, parcel: PlannedBatch, intent: Intent) -> None:
        """`parcel` may be somebody else's by now: who is slow looks like who is dead, and a machine
        that slept sleeps longer than it was told."""
        if self.now() < intent.lease_until:
            return
        late = "they had waited for so long that another run may have taken them up"
        self._abandon([parcel], late)
        raise CannotSubmit(
            f"{count(len(parcel.requests), 'request')} were not sent: {late}",
            "run the same command again; it sends what nobody has sent",
        )

    def _renewed(self, intent: Intent) -> Intent:
        """The latest intent of an id counts, so a longer lease is one more."""
        now = self.now()
        if intent.lease_until - now > LEASE / 2:
            return intent
        return intent.model_copy(update={"at": now, "lease_until": now + LEASE})


def _answered(
    recorder: AnswerRecorder, answer: BatchResult, intent: Intent, view: LedgerState
) -> Write:
    written = recorder.record(view, [answer])
    renewed = () if view.batch_records[intent.id].intent == intent else (intent,)
    return Write((*renewed, *written.events), written.shards)
