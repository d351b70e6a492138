"""What `status`, `list` and `show` find out."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from claude_batch.errors import BadUsage
from claude_batch.event import Answered, Asked
from claude_batch.finding import Finding
from claude_batch.task import TaskId

SHORTEST_PREFIX = 6


def check_prefix(prefix: str) -> None:
    """Raises BadUsage for a prefix that could be meant for anything."""
    if len(prefix.removeprefix("msgbatch_")) < SHORTEST_PREFIX:
        raise BadUsage(f"{prefix!r} is too short", "give at least six characters of an id")


@dataclass(frozen=True)
class BatchRow:
    id: str  # the intent's id while there is no batch
    status: str
    created_at: datetime
    expires_at: datetime | None
    requests: int
    tasks: int
    lane: str
    not_sent: str | None = None  # why nothing of it, or no more of it, will be


@dataclass(frozen=True)
class FailedTask:
    """It waits for `retry`."""

    id: TaskId
    kind: str
    path: str
    why: str  # of its last answer


@dataclass(frozen=True)
class Status:
    batches: tuple[BatchRow, ...]
    pending_tasks: int
    failed: tuple[FailedTask, ...]
    spent_usd: Decimal  # this month, UTC
    damaged: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """One thing that `show` found: exactly one of the three."""

    batch: BatchRow | None = None
    requests: tuple[tuple[Asked, Answered | None], ...] = ()
    task: TaskId | None = None
    standing: str = ""
    finding: Finding | None = None
