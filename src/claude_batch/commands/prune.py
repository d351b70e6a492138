"""`prune`: drops what the ledger no longer needs: the findings of pull requests long closed.

Ids, costs and states stay, so receipts and deduplication go on as before.
"""

from collections.abc import Iterator
from datetime import datetime

from claude_batch.ledger import Ledger, View, Write
from claude_batch.task import TaskId


def prune(ledger: Ledger, before: datetime) -> int:
    """Shards dropped: those that only pull requests use that were closed before then."""
    dropped: tuple[str, ...] = ()

    def decide(view: View) -> Write:
        nonlocal dropped
        dropped = tuple(_droppable(view, before))
        return Write(drops=dropped)

    ledger.transact(decide)
    return len(dropped)


def _droppable(view: View, before: datetime) -> Iterator[str]:
    users: dict[str, set[int | None]] = {}
    planners = _planners(view)
    for row in view.rows:
        if row.answered and row.answered.shard in view.shards:
            found = users.setdefault(row.answered.shard, set())
            found.add(row.asked.pr)
            found.update(*(planners.get(task.id, ()) for task in row.asked.tasks))
    gone = {number for number in view.closed if _closed(view, number, before)}
    return (shard for shard, numbers in sorted(users.items()) if numbers <= gone)


def _planners(view: View) -> dict[TaskId, set[int | None]]:
    """What one pull request paid for may serve another that is still open."""
    found: dict[TaskId, set[int | None]] = {}
    for plan in view.plans:
        for task in (task for file in plan.files for task in file.tasks):
            found.setdefault(task.id, set()).add(plan.pr)
    return found


def _closed(view: View, number: int, before: datetime) -> bool:
    """And not submitted again since, as one that was reopened is."""
    at, plan = view.closed[number].at, view.plan(number)
    return at < before and (plan is None or plan.at <= at)
