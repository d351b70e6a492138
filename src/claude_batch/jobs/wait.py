"""Decide whether waiting for a job is over, and with which exit code."""

from datetime import datetime

from claude_batch.jobs.job import ACTIVE, Job, JobStatus

COMPLETED = 0
UNSUCCESSFUL = 3
DEADLINE = 124  # as that of timeout(1)


def wait_exit_code(job: Job, deadline: datetime | None, now: datetime) -> int | None:
    """None: keep waiting. A job that has ended counts even if the deadline has passed."""
    if job.status is JobStatus.COMPLETED:
        return COMPLETED
    if job.status not in ACTIVE:
        return UNSUCCESSFUL
    return DEADLINE if deadline and now >= deadline else None
