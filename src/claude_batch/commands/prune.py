"""`prune`: drops what the ledger no longer needs: the findings of pull requests long closed.

Ids, costs and states stay, so receipts and deduplication go on as before.
"""

from collections.abc import Iterator
from datetime import datetime

from claude_batch.ledger import Ledger, View, Write


def prune(ledger: Ledger, before: datetime) -> int:
    """Shards dropped: all they hold was asked for by pull requests closed before then."""
    dropped: tuple[str, ...] = ()

    def decide(view: View) -> Write:
        nonlocal dropped
        dropped = tuple(_droppable(view, before))
        return Write(drops=dropped)

    ledger.transact(decide)
    return len(dropped)


def _droppable(view: View, before: datetime) -> Iterator[str]:
    askers: dict[str, set[int | None]] = {}
    for row in view.rows:
        if row.answered and row.answered.shard:
            askers.setdefault(row.answered.shard, set()).add(row.asked.pr)
    gone = {number for number in view.closed if _closed(view, number, before)}
    return (shard for shard, numbers in sorted(askers.items()) if numbers <= gone)


def _closed(view: View, number: int, before: datetime) -> bool:
    """And not submitted again since, as one that was reopened is."""
    at, plan = view.closed[number].at, view.plan(number)
    return at < before and (plan is None or plan.at <= at)
