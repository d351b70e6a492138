"""Record planned batches in the ledger, send them, and record the result of each."""

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
from claude_batch.batches.batching import (
    FOLLOWS_A_PRIMER,
    LEASE,
    PlannedBatch,
    SentBatch,
    batch_times,
)
from claude_batch.batches.record_answers import AnswerRecorder, response_validator
from claude_batch.costs.prices import Prices
from claude_batch.errors import CannotRecord, CannotSubmit, LedgerDamaged, SubmitUnclear
from claude_batch.formatting import count
from claude_batch.ledger.events import Intent, IntentAbandoned, Stamp, Submitted
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState

# Counted from the claim, so that the followers of a primer are sent well before LEASE ends.
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
    """Wait for primers, so that the requests that follow read from the cache."""

    anthropic: AnthropicClient
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    report: Callable[[str], None]

    def wait(self, primers: Iterable[BatchId], batch: PlannedBatch) -> None:
        """Wait until all have ended, or until MAX_PRIMER_WAIT. Raises CannotCollect."""
        latest = batch.intent.at + MAX_PRIMER_WAIT
        self.report(
            f"{count(len(batch.requests), 'request')} wait until what they share is in the cache, "
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
    primer_wait: PrimerWait | None = None  # None: followers are sent at once
    despite_damage: bool = False  # send although events that cost money are unreadable

    def claim(self, decide: Callable[[LedgerState], AnyPlan]) -> AnyPlan:
        """Decide on a plan and record it before it costs money.

        Raises LedgerDamaged, and whatever `decide` raises.
        """
        decisions: list[AnyPlan] = []

        def write(state: LedgerState) -> Write:
            decisions.append(decide(state))
            if decisions[-1].batches:
                if state.money_damage and not self.despite_damage:
                    raise _damaged(state.money_damage)
                self.anthropic.check_key()  # without one nothing can be sent, so nothing is claimed
            return decisions[-1].write

        try:
            self.ledger.transact(write)
        except KeyboardInterrupt:  # it may have landed all the same
            self._release(decisions[-1].batches if decisions else ())
            raise
        return decisions[-1]

    def send(self, batches: Iterable[PlannedBatch]) -> Iterator[SentBatch]:
        """Send in order. Batches that were not tried because of an error are abandoned at once."""
        waiting = deque(batches)
        primers: list[BatchId] = []
        try:
            while waiting:
                if self.primer_wait and waiting[0].intent.follows == FOLLOWS_A_PRIMER:
                    self.primer_wait.wait(primers, waiting[0])
                batch = waiting.popleft()
                sent = self._send(batch)
                if sent.id and batch.requests[0].event.purpose == "primer":
                    primers.append(sent.id)
                yield sent
        except KeyboardInterrupt:
            # The outcome of the batch in hand is unknown, so its intent stays.
            self._release(tuple(waiting))
            waiting.clear()
            raise
        finally:
            self._abandon(waiting, "an earlier batch could not be sent")

    def _send(self, batch: PlannedBatch) -> SentBatch:
        tasks = sum(len(request.event.tasks) for request in batch.requests)
        if batch.intent.lane == "now":
            self._send_immediately(batch)
            return SentBatch(None, len(batch.requests), tasks, follows=batch.intent.follows)
        event = self._create(batch)
        return SentBatch(
            event.batch, len(batch.requests), tasks, event.expires_at, batch.intent.follows
        )

    def _create(self, batch: PlannedBatch) -> Submitted:
        self._check_lease(batch, batch.intent)
        try:
            remote = self.anthropic.create_batch(
                (request.custom_id, request.body) for request in batch.requests
            )
        except SubmitUnclear:
            raise  # the intent stays: `collect` finds out whether the batch was created
        except CannotSubmit as error:
            self._abandon([batch], error.problem, is_refusal=True)
            raise
        event = self._stamp(batch.intent).event(
            Submitted,
            intent=batch.intent.id,
            batch=remote.id,
            **batch_times(remote, self.now()),
        )
        self.ledger.transact(lambda state: Write((event,)))
        return event

    def _stamp(self, intent: Intent) -> Stamp:
        return Stamp(intent.run, intent.repo, self.now)

    def _abandon(
        self,
        batches: Collection[PlannedBatch],
        reason: str,
        *,
        is_refusal: bool = False,
        patient: bool = True,
    ) -> None:
        """Record that no more of these batches is sent. Their unanswered tasks are new again."""
        events = [
            self._stamp(batch.intent).event(
                IntentAbandoned, intent=batch.intent.id, reason=reason, is_refusal=is_refusal
            )
            for batch in batches
        ]

        def decide(state: LedgerState) -> Write:
            return Write(tuple(event for event in events if event.intent in state.batch_records))

        if events:
            self.ledger.transact(decide, patient=patient)

    def _release(self, batches: Collection[PlannedBatch]) -> None:
        # A cancelled CI job has a few seconds left. If they do not suffice, the lease ends.
        with suppress(CannotRecord):
            self._abandon(batches, "interrupted before it was sent", patient=False)

    def _send_immediately(self, batch: PlannedBatch) -> None:
        """Send the requests of lane now one by one; record each answer before the next request."""
        record = self.ledger.view().batch_records[batch.intent.id]
        intent = batch.intent
        for request in batch.requests:
            self._check_lease(batch, intent)
            recorder = AnswerRecorder(record, self.prices, self.now(), batch.intent.run)
            try:
                message = self.anthropic.create_message(request.body.read())
                answer = parse_message(request.custom_id, message, response_validator(record))
            except SubmitUnclear:
                raise  # may be paid for: `collect` reports it when the lease has ended
            except CannotSubmit as error:
                self._abandon([batch], error.problem, is_refusal=True)
                raise
            intent = self._renewed(intent)
            self.ledger.transact(partial(_answered, recorder, answer, intent))

    def _check_lease(self, batch: PlannedBatch, intent: Intent) -> None:
        # A slow sender looks like a dead one, for example after its machine was suspended, so
        # another run may have taken over the batch.
        if self.now() < intent.lease_until:
            return
        late = "the claim expired, and another run may have sent them"
        self._abandon([batch], late)
        raise CannotSubmit(
            f"{count(len(batch.requests), 'request')} were not sent: {late}",
            "run the same command again; it sends only what is not sent yet",
        )

    def _renewed(self, intent: Intent) -> Intent:
        # The latest event of an intent counts, so a longer lease is recorded as one more event.
        now = self.now()
        if intent.lease_until - now > LEASE / 2:
            return intent
        return intent.model_copy(update={"at": now, "lease_until": now + LEASE})


def _answered(
    recorder: AnswerRecorder, answer: BatchResult, intent: Intent, state: LedgerState
) -> Write:
    written = recorder.record(state, [answer])
    renewed = () if state.batch_records[intent.id].intent == intent else (intent,)
    return Write((*renewed, *written.events), written.shards)


def _damaged(damage: Sequence[str]) -> LedgerDamaged:
    # The unreadable events may be answers, or requests in flight: those would be paid for again.
    others = f" ({count(len(damage) - 1, 'more problem')} of this kind)" if damage[1:] else ""
    return LedgerDamaged(
        f"nothing was sent, because the ledger is damaged: {damage[0]}{others}",
        "run `claude-batch doctor --repair`, or pass `--despite-damage` to send what may have been "
        "paid for already",
    )
