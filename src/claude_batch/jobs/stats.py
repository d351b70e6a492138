"""`jobs stats`: counts of jobs, waits, tokens and money."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from math import ceil

from claude_batch.costs.entries import CostEntry
from claude_batch.costs.receipts import build_receipt
from claude_batch.jobs.job import Job, JobStatus


@dataclass(frozen=True)
class WaitTimes:
    """Seconds from submission to answer. None: no wait is known."""

    p50: float | None
    p90: float | None
    mean: float | None

    @classmethod
    def from_waits(cls, waits: Iterable[timedelta]) -> "WaitTimes":
        seconds = sorted(wait.total_seconds() for wait in waits)
        if not seconds:
            return cls(None, None, None)
        mean = round(sum(seconds) / len(seconds), 3)
        return cls(_nearest_rank(seconds, 50), _nearest_rank(seconds, 90), mean)


@dataclass(frozen=True)
class JobStats:
    """`pending` counts queued and paused jobs too, `failed` expired ones, and `cancelled` those
    that were superseded or deleted: the five sum up to `created`."""

    created: int
    pending: int
    processing: int
    completed: int
    failed: int
    cancelled: int
    deduplicated: int  # tasks that another job had asked
    seconds: WaitTimes
    tokens: int | None  # None: no usage is recorded
    usd: Decimal
    saved_usd: Decimal  # by batches and prompt caching, against the standard price


def compute_stats(jobs: Sequence[Job], entries: Sequence[CostEntry]) -> JobStats:
    """`entries`: those of the same ledgers."""
    count = Counter(job.status for job in jobs)
    receipt = build_receipt(entry.answer for entry in entries)
    has_usage = any(entry.answer.usage for entry in entries)
    tokens = receipt.input_tokens + receipt.output_tokens
    tokens += receipt.cache_read_tokens + receipt.cache_write_tokens
    return JobStats(
        created=len(jobs),
        pending=count[JobStatus.PENDING] + count[JobStatus.QUEUED] + count[JobStatus.PAUSED],
        processing=count[JobStatus.PROCESSING],
        completed=count[JobStatus.COMPLETED],
        failed=count[JobStatus.FAILED] + count[JobStatus.EXPIRED],
        cancelled=count[JobStatus.CANCELLED]
        + count[JobStatus.SUPERSEDED]
        + count[JobStatus.DELETED],
        deduplicated=sum(job.reused for job in jobs),
        seconds=WaitTimes.from_waits(entry.wait for entry in entries if entry.wait is not None),
        tokens=tokens if has_usage else None,
        usd=receipt.usd,
        saved_usd=receipt.saved_usd,
    )


def _nearest_rank(ordered: Sequence[float], percentile: int) -> float:
    return ordered[ceil(len(ordered) * percentile / 100) - 1]
