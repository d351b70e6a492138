"""`jobs events`: everything that happened to jobs, derived from the ledger in order of time.

The same ledger gives the same events, whatever the configuration of today. Two things are coarse:
answers that one run recorded for one batch are one step of progress, at the time of the last, and
of what was posted on a head only the first post that still stands is known. After requests were
folded without their intent, their sending has the time of their answer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from claude_batch.jobs.job import JobProgress, JobStatus
from claude_batch.jobs.moments import Change, Moment, moments_by_plan
from claude_batch.jobs.replay import JobReplay
from claude_batch.ledger.events import Plan
from claude_batch.ledger.view import LedgerState


@dataclass(frozen=True)
class JobEventData:
    repository: str
    job: str
    pull_request: int | None
    status: JobStatus
    progress: JobProgress
    usd: Decimal
    url: str | None


@dataclass(frozen=True)
class JobEvent:
    type: str
    timestamp: datetime
    data: JobEventData


# Statuses with an event of their own. That of a cancelled job waits for what is in flight.
OWN_EVENTS = {
    JobStatus.COMPLETED: "job.completed",
    JobStatus.FAILED: "job.failed",
    JobStatus.EXPIRED: "job.expired",
    JobStatus.DELETED: "job.deleted",
    JobStatus.PAUSED: "job.paused",
}


def job_events(
    state: LedgerState, now: datetime, server_url: str = "https://github.com"
) -> list[JobEvent]:
    """The events of all jobs up to now, oldest first."""
    moments = moments_by_plan(state, now)
    feeds = (_JobFeed(plan, server_url).events(moments[plan.id]) for plan in state.plans)
    events = [event for feed in feeds for event in feed]
    # The sort is stable: events of one job with the same time keep their order.
    return sorted(events, key=lambda event: (event.timestamp, event.data.job))


class _JobFeed:
    def __init__(self, plan: Plan, server_url: str) -> None:
        self._plan = plan
        self._replay = JobReplay(plan)
        self._url = f"{server_url}/{plan.repo}/pull/{plan.pr}" if plan.pr is not None else None
        self._is_cancelled = False  # and `job.cancelled` was given
        self._is_over_budget = False

    def events(self, moments: Iterable[Moment]) -> Iterator[JobEvent]:
        created_at, later = self._plan.at, []
        for moment in moments:
            # The times of an intent and of its plan are nearly the same.
            if moment.at < created_at and not (moment.change is Change.SENT and moment.is_own):
                self._replay.apply(moment)
            else:
                later.append(moment)
        yield self._event("job.created", created_at)
        yield from self._status_events(None, created_at)
        for (at, change), step in groupby(later, key=lambda moment: (moment.at, moment.change)):
            yield from self._step(max(at, created_at), change, list(step))

    def _step(self, at: datetime, change: Change, moments: list[Moment]) -> Iterator[JobEvent]:
        """The events of all changes of one sort at one time."""
        status, progress = self._replay.status, self._replay.progress
        for moment in moments:
            self._replay.apply(moment)
        is_end = change in (Change.CANCELLED, Change.DELETED)
        if is_end and self._replay.progress.processing:
            yield self._event("job.cancel_requested", at)
        if _ended_tasks(progress) != _ended_tasks(self._replay.progress):
            yield self._event("job.progress", at)
        if status is not self._replay.status:
            yield self._event("job.status_changed", at)
        yield from self._status_events(status, at)
        if change is Change.PUBLISHED:
            yield self._event("review.published", at)
        is_sent = any(moment.change is Change.SENT and moment.is_own for moment in moments)
        yield from self._budget_events(change, at, is_sent=is_sent)

    def _status_events(self, before: JobStatus | None, at: datetime) -> Iterator[JobEvent]:
        status = self._replay.status
        if status is not before:
            if before is JobStatus.PAUSED:
                yield self._event("job.resumed", at)
            if status in OWN_EVENTS:
                yield self._event(OWN_EVENTS[status], at)
        is_cancelled = status is JobStatus.CANCELLED
        if is_cancelled and not self._is_cancelled and not self._replay.progress.processing:
            self._is_cancelled = True
            yield self._event("job.cancelled", at)
        self._is_cancelled = self._is_cancelled and is_cancelled

    def _budget_events(self, change: Change, at: datetime, *, is_sent: bool) -> Iterator[JobEvent]:
        """One event until something of the job was sent, however often it is refused."""
        if change is Change.BUDGET_REACHED and not self._is_over_budget:
            self._is_over_budget = True
            yield self._event("budget.reached", at)
        elif is_sent:
            self._is_over_budget = False

    def _event(self, name: str, at: datetime) -> JobEvent:
        plan, replay = self._plan, self._replay
        data = JobEventData(
            plan.repo, plan.id, plan.pr, replay.status, replay.progress, replay.usd, self._url
        )
        return JobEvent(name, at, data)


def _ended_tasks(progress: JobProgress) -> tuple[int, int, int]:
    return progress.completed, progress.failed, progress.cancelled
