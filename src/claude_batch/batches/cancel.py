"""`cancel`: cancel batches. Requests that are already running may still be answered and billed."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.models import BatchId
from claude_batch.errors import BadUsage
from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.events import BatchStatus, PullRequestClosed, Stamp
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
    """Open batches whose ids start so; all of them for no prefix. Raises BadUsage."""
    chosen = [(ledger, _sent(ledger.view(), prefixes)) for ledger in ledgers]
    for prefix in prefixes:
        if not any(_is(record, prefix) for _, found in chosen for record in found):
            raise BadUsage(
                f"no open batch is called {prefix!r}", "see `claude-batch status` for the ids"
            )
    return [one for ledger, found in chosen for one in _cancel(ledger, anthropic, found, run, now)]


def cancel_pull_request(
    ledger: Ledger, anthropic: AnthropicClient, pr: int, run: str, now: Callable[[], datetime]
) -> CanceledBatches:
    """Open batches that hold work of this pull request and of no other."""
    found = [
        record
        for record in _sent(ledger.view(), ())
        if {asked.pr for asked in record.requests.values()} == {pr}
    ]
    return _cancel(ledger, anthropic, found, run, now)


def close_pull_request(
    ledger: Ledger,
    anthropic: AnthropicClient,
    pr: int,
    merged: bool,
    stamp: Stamp,
) -> CanceledBatches:
    """Record the end of the pull request, which `prune` needs, and cancel its open batches."""
    fact = stamp.event(PullRequestClosed, pr=pr, merged=merged)
    ledger.transact(lambda state: Write((fact,)) if state.latest_plan(pr) else Write())
    return cancel_pull_request(ledger, anthropic, pr, stamp.run, stamp.now)


def _cancel(
    ledger: Ledger,
    claude: AnthropicClient,
    found: Iterable[BatchRecord],
    run: str,
    now: Callable[[], datetime],
) -> CanceledBatches:
    done: CanceledBatches = []
    facts: list[BatchStatus] = []
    for record in found:
        if record.submitted:
            batch, stamp = record.submitted.batch, Stamp(run, record.intent.repo, now)
            status = claude.cancel_batch(batch).status
            done.append((batch, status))
            if status == "canceling":  # it may have ended before it was told to
                facts.append(stamp.event(BatchStatus, batch=batch, status=status))
    if facts:
        ledger.transact(lambda state: Write(tuple(facts)))
    return done


def _sent(state: LedgerState, prefixes: Collection[str]) -> list[BatchRecord]:
    found = [record for record in state.open_batches() if record.submitted]
    return [one for one in found if not prefixes or any(_is(one, p) for p in prefixes)]


def _is(record: BatchRecord, prefix: str) -> bool:
    return record.submitted is not None and record.submitted.batch.startswith(prefix)
