"""`prune`: drops findings of pull requests long closed and folds old log files.

Ids, costs and states stay, so receipts and deduplication go on as before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from claude_batch import folding
from claude_batch.ledger import Ledger, View, Write
from claude_batch.task import TaskId


@dataclass(frozen=True)
class Pruned:
    dropped: int = 0  # files of findings
    folded: int = 0  # log files that a snapshot stands for now


def prune(
    ledger: Ledger, now: datetime, age: timedelta = folding.YOUNGEST, *, when_due: bool = False
) -> Pruned:
    """What is older than `age`; log files younger than folding.YOUNGEST are never folded.

    `when_due`: only where there is so much of it that reading the ledger takes long.
    """
    drop_before, fold_before = now - age, now - max(age, folding.YOUNGEST)
    before = View()

    def decide(view: View) -> Write:
        nonlocal before
        before = view
        if when_due and not folding.is_due(view.logs, fold_before):
            return Write()
        return Write(drops=tuple(_droppable(view, drop_before)), fold_before=fold_before)

    after = ledger.transact(decide)
    folded = [path for path in folding.old(before.logs, fold_before) if path not in after.logs]
    return Pruned(len(before.shards - after.shards), len(folded))


def _droppable(view: View, before: datetime) -> Iterator[str]:
    """Those that only pull requests use that were closed before then."""
    users: dict[str, set[int | None]] = {}
    planners = _planners(view)
    for row in view.rows:
        if row.answered and row.answered.shard in view.shards:
            found = users.setdefault(row.answered.shard, set())
            found.add(row.asked.pr)
            found.update(*(planners.get(task.id, ()) for task in row.asked.tasks))
    gone = {number for number in view.closed if view.was_closed(number, before)}
    return (shard for shard, numbers in sorted(users.items()) if numbers <= gone)


def _planners(view: View) -> dict[TaskId, set[int | None]]:
    """What one pull request paid for may serve another that is still open."""
    found: dict[TaskId, set[int | None]] = {}
    for plan in view.plans:
        for task in (task for file in plan.files for task in file.tasks):
            found.setdefault(task.id, set()).add(plan.pr)
    return found
