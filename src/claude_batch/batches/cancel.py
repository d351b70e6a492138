"""`cancel`: cancel batches. Requests that are already running may still be answered and billed."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.models import BatchId
from claude_batch.errors import BadUsage, CannotCollect
from claude_batch.ledger.events import BatchStatus, Stamp, Submitted
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState

CanceledBatches = list[tuple[BatchId, str]]  # id, status at the API


def cancel(
    ledgers: Iterable[Ledger],
    anthropic: AnthropicClient,
    prefixes: Collection[str],
    run: str,
    now: Callable[[], datetime],
) -> CanceledBatches:
    """Cancel open batches by the starts of their ids, or all of them. Raises BadUsage."""
    chosen = [(ledger, _submitted_batches(ledger.view(), prefixes)) for ledger in ledgers]
    ids = [submitted.batch for _, batches in chosen for submitted in batches]
    for prefix in prefixes:
        if not any(batch.startswith(prefix) for batch in ids):
            raise BadUsage(
                f"no open batch is called {prefix!r}", "see `claude-batch status` for the ids"
            )
    for ledger, batches in chosen if prefixes else ():
        for submitted in batches:
            if not ledger.view().batch_records[submitted.intent].is_sent_by(anthropic.key_scope):
                raise BadUsage(
                    f"batch {submitted.batch} was sent with another key",
                    "use the key that sent it; after 26 hours `--forget` gives it up",
                )
    return [
        canceled
        for ledger, batches in chosen
        for canceled in cancel_records(ledger, anthropic, batches, run, now)
    ]


def cancel_records(
    ledger: Ledger,
    anthropic: AnthropicClient,
    batches: Iterable[Submitted],
    run: str,
    now: Callable[[], datetime],
) -> CanceledBatches:
    """Cancel batches of this client's key, and leave others alone.

    Raises CannotCollect at the end if one of them could not be canceled.
    """
    canceled: CanceledBatches = []
    events: list[BatchStatus] = []
    failures: list[CannotCollect] = []
    records = ledger.view().batch_records
    for submitted in batches:
        batch, stamp = submitted.batch, Stamp(run, submitted.repo, now)
        if not records[submitted.intent].is_sent_by(anthropic.key_scope):
            continue
        try:
            status = anthropic.cancel_batch(batch).status
        except CannotCollect as error:
            failures.append(error)
            continue
        canceled.append((batch, status))
        if status == "canceling":  # it may have ended before the cancellation
            events.append(stamp.event(BatchStatus, batch=batch, status=status))
    if events:
        ledger.transact(lambda state: Write(tuple(events)))
    if failures:
        raise failures[0]
    return canceled


def _submitted_batches(state: LedgerState, prefixes: Collection[str] = ()) -> list[Submitted]:
    return [
        record.submitted
        for record in state.open_batches()
        if record.submitted and (not prefixes or record.submitted.batch.startswith(tuple(prefixes)))
    ]
