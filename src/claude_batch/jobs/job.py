"""Jobs: each is a plan with what became of it. They are derived from the ledger, never stored."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from claude_batch.ledger.events import Plan
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.task_states import TaskReading, TaskState


class JobStatus(StrEnum):
    """The first one that holds is the status of a job."""

    DELETED = "deleted"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    PAUSED = "paused"
    PROCESSING = "processing"
    QUEUED = "queued"
    PENDING = "pending"
    EXPIRED = "expired"
    FAILED = "failed"
    COMPLETED = "completed"


ACTIVE = frozenset({JobStatus.PAUSED, JobStatus.PROCESSING, JobStatus.QUEUED, JobStatus.PENDING})


@dataclass(frozen=True)
class JobProgress:
    """Counts of tasks. `failed` includes expired ones; `percent` is of those that have ended."""

    total: int
    pending: int
    processing: int
    completed: int
    failed: int
    cancelled: int
    percent: int

    @classmethod
    def from_states(cls, states: Iterable[TaskState]) -> "JobProgress":
        counts = Counter(states)
        total = sum(counts.values())
        ended = total - counts[TaskState.WAITING] - counts[TaskState.IN_FLIGHT]
        return cls(
            total,
            counts[TaskState.WAITING],
            counts[TaskState.IN_FLIGHT],
            counts[TaskState.ANSWERED],
            counts[TaskState.FAILED] + counts[TaskState.EXPIRED],
            counts[TaskState.CANCELLED],
            100 * ended // total if total else 100,
        )


@dataclass(frozen=True)
class Job:
    plan: Plan
    status: JobStatus
    progress: JobProgress
    started_at: datetime | None  # when its first own request was sent
    completed_at: datetime | None  # when it ended
    expires_at: datetime | None  # of its open batches, else its timeout
    usd: Decimal  # paid for its own requests; reused answers cost nothing
    usd_standard: Decimal
    reused: int  # tasks that another job asked
    readings: Mapping[TaskId, TaskReading]

    @property
    def id(self) -> str:
        return self.plan.id

    @property
    def source(self) -> str | None:
        return self.plan.source or ("pull_request" if self.pull_request is not None else None)

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(sorted(self.plan.kinds))

    @property
    def kind(self) -> str:
        """Its kinds, joined by commas."""
        return ",".join(self.kinds)

    @property
    def priority(self) -> int:
        return self.plan.priority

    @property
    def tags(self) -> tuple[str, ...]:
        return self.plan.tags

    @property
    def created_at(self) -> datetime:
        return self.plan.at

    @property
    def pull_request(self) -> int | None:
        return self.plan.pr

    @property
    def label(self) -> str:
        return self.plan.label
