"""Filter and sort jobs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from claude_batch.jobs.job import Job, JobStatus


class JobOrder(StrEnum):
    created = "created"
    priority = "priority"
    status = "status"


@dataclass(frozen=True)
class JobFilter:
    """A job passes if it has one of the values of each field that is not empty."""

    statuses: frozenset[JobStatus] = frozenset()
    kinds: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    priorities: frozenset[int] = frozenset()
    pull_requests: frozenset[int] = frozenset()
    with_deleted: bool = False

    def matches(self, job: Job) -> bool:
        return (
            (self.with_deleted or job.status is not JobStatus.DELETED)
            and (not self.statuses or job.status in self.statuses)
            and (not self.kinds or not self.kinds.isdisjoint(job.kinds))
            and (not self.tags or not self.tags.isdisjoint(job.tags))
            and (not self.sources or job.source in self.sources)
            and (not self.priorities or job.priority in self.priorities)
            and (not self.pull_requests or job.pull_request in self.pull_requests)
        )


@dataclass(frozen=True)
class JobPage:
    items: tuple[Job, ...]
    total: int  # of all that pass the filter
    limit: int
    offset: int


def list_jobs(
    jobs: Sequence[Job],
    job_filter: JobFilter,
    order: JobOrder = JobOrder.created,
    *,
    is_reversed: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> JobPage:
    """Newest first; or by the highest priority, or in the order of the statuses, then newest."""
    matching = [job for job in jobs if job_filter.matches(job)]
    matching.sort(key=lambda job: (job.created_at, job.id), reverse=True)
    matching.sort(key=SORT_KEYS[order])
    if is_reversed:
        matching.reverse()
    return JobPage(tuple(matching[offset : offset + limit]), len(matching), limit, offset)


STATUSES = list(JobStatus)
SORT_KEYS: dict[JobOrder, Callable[[Job], int]] = {
    JobOrder.created: lambda job: 0,
    JobOrder.priority: lambda job: -job.priority,
    JobOrder.status: lambda job: STATUSES.index(job.status),
}
