"""Send second looks in lane `now`: a few at once, for a short time, without retries."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import SimpleQueue
from typing import NamedTuple

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.results import parse_message
from claude_batch.batches.batching import PlannedBatch, PreparedRequest
from claude_batch.batches.record_answers import AnswerRecorder
from claude_batch.costs.prices import Prices
from claude_batch.errors import CannotSubmit, SubmitUnclear
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState

MAX_AT_ONCE = 4
TIME_LIMIT = timedelta(seconds=90)  # for all of them


class _Reply(NamedTuple):
    batch: PlannedBatch
    request: PreparedRequest
    message: bytes | CannotSubmit | None  # None: a bug in the thread


@dataclass
class ImmediateSender:
    """Each intent is sent by one thread, one request after the other. So after a kill, at most
    one request of each may have been paid for without its answer."""

    ledger: Ledger
    anthropic: AnthropicClient
    prices: Prices
    now: Callable[[], datetime]
    _replies: "SimpleQueue[_Reply]" = field(default_factory=SimpleQueue, init=False)

    def send(self, batches: Sequence[PlannedBatch]) -> bool:
        """Send at most MAX_AT_ONCE batches of lane now, and record each answer.

        After a refusal or a timeout, and at the time limit, nothing more is started: what is left
        is given back to the ledger. Return True if that happened.
        """
        deadline = self.now() + TIME_LIMIT
        waiting = {batch.intent.id: deque(batch.requests) for batch in batches}
        has_failed = False
        for batch in batches:
            self._start(batch, waiting[batch.intent.id].popleft(), deadline)
        running = len(batches)
        while running:
            reply = self._replies.get()
            running -= 1
            left = waiting[reply.batch.intent.id]
            if reply.message is None:
                raise RuntimeError("the thread of a second look has failed")
            has_failed = has_failed or isinstance(reply.message, CannotSubmit)
            self._record(reply.batch, reply.request, reply.message)
            if left and not has_failed and self.now() < deadline:
                self._start(reply.batch, left.popleft(), deadline)
                running += 1
        unsent = [batch for batch in batches if waiting[batch.intent.id]]
        self._give_back(unsent)
        return has_failed or bool(unsent)

    def _start(self, batch: PlannedBatch, request: PreparedRequest, deadline: datetime) -> None:
        seconds = max(1.0, (deadline - self.now()).total_seconds())

        def send() -> None:
            message: bytes | CannotSubmit | None = None
            try:
                message = self.anthropic.create_message(request.body.read(), seconds)
            except CannotSubmit as error:
                message = error
            finally:  # else `send` would wait for ever
                self._replies.put(_Reply(batch, request, message))

        # A daemon: an interrupted process does not wait for its answer.
        threading.Thread(target=send, daemon=True).start()

    def _record(
        self, batch: PlannedBatch, request: PreparedRequest, message: bytes | CannotSubmit
    ) -> None:
        def decide(state: LedgerState) -> Write:
            recorder = self._recorder(state, batch)
            if isinstance(message, SubmitUnclear):
                return recorder.record_unknown(state)
            if isinstance(message, CannotSubmit):
                return recorder.abandon(message.problem)
            answer = parse_message(request.custom_id, message, None)
            return recorder.record(state, [answer])

        self.ledger.transact(decide)

    def _give_back(self, batches: Sequence[PlannedBatch]) -> None:
        """Record that the rest of these batches is not sent, so that it is due again."""

        def decide(state: LedgerState) -> Write:
            reason = "sent as a batch instead"
            writes = [self._recorder(state, batch).abandon(reason) for batch in batches]
            return Write(tuple(event for write in writes for event in write.events))

        if batches:
            self.ledger.transact(decide)

    def _recorder(self, state: LedgerState, batch: PlannedBatch) -> AnswerRecorder:
        record = state.batch_records[batch.intent.id]
        return AnswerRecorder(record, self.prices, self.now(), batch.intent.run)
