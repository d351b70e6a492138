"""`prune`: delete findings of closed pull requests, fold old log files, and squash the history.

Ids, costs and statuses stay, so receipts do not change. A task whose findings are gone is sent
again if it is submitted again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from claude_batch.errors import CannotRecord
from claude_batch.formatting import count
from claude_batch.ledger import compaction
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.repair import LedgerHistory
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import TaskId


@dataclass(frozen=True)
class PruneResult:
    dropped: int = 0  # deleted files of findings
    folded: int = 0  # log files that are now in a snapshot
    squashed: int = 0  # commits that are now one


def prune(
    ledger: Ledger, now: datetime, age: timedelta = compaction.MIN_AGE, *, when_due: bool = False
) -> PruneResult:
    """Delete and fold what is older than `age`. Log files are folded after MIN_AGE at the earliest.

    `when_due`: only if the ledger is so large that reading it takes long.
    """
    drop_before, fold_before = now - age, now - max(age, compaction.MIN_AGE)
    if when_due and not compaction.needs_compaction(ledger.view().log_sizes, fold_before):
        return PruneResult()
    before = LedgerState()

    def decide(state: LedgerState) -> Write:
        nonlocal before
        before = state
        return Write(drops=tuple(_unused_shards(state, drop_before)), fold_before=fold_before)

    after = ledger.transact(decide)
    foldable = compaction.compactable_files(before.log_sizes, fold_before)
    folded = [path for path in foldable if path not in after.log_sizes]
    return PruneResult(len(before.shards - after.shards), len(folded))


def _unused_shards(state: LedgerState, before: datetime) -> Iterator[str]:
    """The shards that only pull requests use that were closed before then."""
    users: dict[str, set[int | None]] = {}
    pulls_of = _pulls_by_task(state)
    for record in state.requests:
        if record.answer and record.answer.shard in state.shards:
            pulls = users.setdefault(record.answer.shard, set())
            pulls.add(record.request.pr)
            # An answer that one pull request paid for may be reused by another that is open.
            pulls.update(*(pulls_of.get(task.id, ()) for task in record.request.tasks))
    closed = {number for number in state.closed if state.was_closed(number, before)}
    return (shard for shard, pulls in sorted(users.items()) if pulls <= closed)


def _pulls_by_task(state: LedgerState) -> dict[TaskId, set[int | None]]:
    pulls: dict[TaskId, set[int | None]] = {}
    for plan in state.plans:
        for task in plan.task_ids:
            pulls.setdefault(task, set()).add(plan.pr)
    return pulls


def squash(ledger: GitLedger, history: LedgerHistory) -> PruneResult:
    """Raises CannotRecord if damaged files can be restored from the history only."""

    def check(tip: str) -> None:
        restorable = history.examine(tip).intact
        if restorable:
            raise CannotRecord(
                f"{ledger.ref} has lost {count(len(restorable), 'file')} "
                "that only its history holds",
                "run `claude-batch doctor --repair` first, then run the command again",
            )

    return PruneResult(squashed=ledger.squash(check))
