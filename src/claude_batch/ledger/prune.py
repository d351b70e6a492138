"""`prune`: drops findings of pull requests long closed, folds old log files, and if somebody asks
for it puts one commit in the place of the history.

Ids, costs and states stay, so receipts and deduplication go on as before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from claude_batch.errors import CannotRecord
from claude_batch.formatting import count
from claude_batch.ledger import compaction as folding
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.repair import LedgerHistory
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import TaskId


@dataclass(frozen=True)
class PruneResult:
    dropped: int = 0  # files of findings
    folded: int = 0  # log files that a snapshot stands for now
    squashed: int = 0  # commits that one stands for now


def prune(
    ledger: Ledger, now: datetime, age: timedelta = folding.MIN_AGE, *, when_due: bool = False
) -> PruneResult:
    """What is older than `age`; log files younger than folding.YOUNGEST are never folded.

    `when_due`: only where there is so much of it that reading the ledger takes long.
    """
    drop_before, fold_before = now - age, now - max(age, folding.MIN_AGE)
    before = LedgerState()

    def decide(view: LedgerState) -> Write:
        nonlocal before
        before = view
        if when_due and not folding.needs_compaction(view.log_sizes, fold_before):
            return Write()
        return Write(drops=tuple(_unused_shards(view, drop_before)), fold_before=fold_before)

    after = ledger.transact(decide)
    folded = [
        path
        for path in folding.compactable_files(before.log_sizes, fold_before)
        if path not in after.log_sizes
    ]
    return PruneResult(len(before.shards - after.shards), len(folded))


def squash(ledger: GitLedger, history: LedgerHistory) -> PruneResult:
    """Raises CannotRecord while something can be put back that only the history has."""

    def check(tip: str) -> None:
        wanted = history.examine(tip).intact
        if wanted:
            raise CannotRecord(
                f"{ledger.ref} has lost {count(len(wanted), 'file')} that only its history holds",
                "run `claude-batch doctor --repair` first, then run the command again",
            )

    return PruneResult(squashed=ledger.squash(check))


def _unused_shards(view: LedgerState, before: datetime) -> Iterator[str]:
    """Those that only pull requests use that were closed before then."""
    users: dict[str, set[int | None]] = {}
    planners = _planning_pulls(view)
    for row in view.requests:
        if row.answer and row.answer.shard in view.shards:
            found = users.setdefault(row.answer.shard, set())
            found.add(row.request.pr)
            found.update(*(planners.get(task.id, ()) for task in row.request.tasks))
    gone = {number for number in view.closed if view.was_closed(number, before)}
    return (shard for shard, numbers in sorted(users.items()) if numbers <= gone)


def _planning_pulls(view: LedgerState) -> dict[TaskId, set[int | None]]:
    """What one pull request paid for may serve another that is still open."""
    found: dict[TaskId, set[int | None]] = {}
    for plan in view.plans:
        for task in plan.task_ids:
            found.setdefault(task, set()).add(plan.pr)
    return found
