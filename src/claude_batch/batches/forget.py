"""`cancel --forget`: give up batches whose answers nobody can fetch. They may have been billed."""

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.models import BatchId
from claude_batch.batches.cancel import CanceledBatches
from claude_batch.batches.record_answers import AnswerRecorder
from claude_batch.batches.status import FORGET_AFTER, check_prefix
from claude_batch.costs.prices import Prices
from claude_batch.errors import BadUsage, CannotFind
from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.events import TICK, Intent
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState

GIVEN_UP = "given up without its results, so it is possibly paid twice"


@dataclass(frozen=True)
class BatchForgetter:
    ledgers: Iterable[Ledger]
    anthropic: AnthropicClient
    prices: Prices
    run: str
    now: Callable[[], datetime]

    def forget(self, prefixes: Collection[str]) -> CanceledBatches:
        """Give up open batches by the starts of their ids. Their tasks are free again, and they
        count at their estimates. Raises BadUsage while results may still come."""
        for prefix in prefixes:
            check_prefix(prefix)
        chosen = [
            (ledger, record)
            for ledger in self.ledgers
            for record in ledger.view().open_batches()
            if record.name.startswith(tuple(prefixes))
        ]
        for prefix in prefixes:
            if not any(record.name.startswith(prefix) for _, record in chosen):
                raise BadUsage(
                    f"no open batch is called {prefix!r}", "see `claude-batch status` for the ids"
                )
        for _, record in chosen:
            self._check(record)
        return [self._give_up(ledger, record) for ledger, record in chosen]

    def _check(self, record: BatchRecord) -> None:
        if record.submitted and record.is_sent_by(self.anthropic.key_scope):
            return self._check_absence(record)
        until = record.latest_news + FORGET_AFTER
        if self.now() < until:
            reason = "was sent with another key" if record.submitted else "is being looked for"
            raise BadUsage(
                f"batch {record.name} {reason}",
                f"it can be given up from {until:%Y-%m-%d %H:%M} UTC on",
            )
        return None

    def _check_absence(self, record: BatchRecord) -> None:
        """Raise BadUsage if the API has the batch or its results."""
        name = record.name
        with suppress(CannotFind):
            batch = self.anthropic.retrieve_batch(BatchId(name))
            if batch.status == "ended":
                next(self.anthropic.stream_results(batch.id), None)
            raise BadUsage(
                f"the API has batch {name}: {batch.status}",
                "run `claude-batch collect` for its results, or `claude-batch cancel` without "
                "--forget",
            )

    def _give_up(self, ledger: Ledger, record: BatchRecord) -> tuple[BatchId, str]:
        recorder = AnswerRecorder(record, self.prices, self.now(), self.run)
        ledger.transact(partial(recorder.record_lost, reason=GIVEN_UP))
        return BatchId(record.name), "lost"


def adopt_scope(ledgers: Iterable[Ledger], old: str, new: str, run: str) -> list[str]:
    """Leave the open batches of a key to the key that replaces it. Return their ids.

    Only a key of the same workspace can collect them.
    """
    adopted: dict[str, None] = {}

    def decide(state: LedgerState) -> Write:
        records = [record for record in state.open_batches() if record.intent.scope == old]
        adopted.update(dict.fromkeys(record.name for record in records))
        return Write(tuple(_with_scope(record.intent, new, run) for record in records))

    for ledger in ledgers:
        ledger.transact(decide)
    return list(adopted)


def _with_scope(intent: Intent, scope: str, run: str) -> Intent:
    # The latest event of an intent counts. The time stays almost the same, because the search for
    # a batch starts from it.
    return intent.model_copy(update={"at": intent.at + TICK, "run": run, "scope": scope})
