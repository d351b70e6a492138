"""Derive jobs from the ledger, the settings of today and the time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from claude_batch.batches.status import check_prefix
from claude_batch.errors import BadUsage, ClaudeBatchError
from claude_batch.jobs.job import Job, JobProgress, JobStatus
from claude_batch.jobs.moments import find_successors
from claude_batch.jobs.request_index import RequestIndex, asking, total_usd
from claude_batch.ledger.events import Plan
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.current_plans import (
    closed_at,
    find_cancellation,
    is_closed,
    is_superseded,
    is_too_old,
)
from claude_batch.waiting.queue import waiting_tasks
from claude_batch.waiting.settings import WaitingSettings
from claude_batch.waiting.task_states import (
    NEVER,
    TaskReading,
    TaskState,
    WaitingReason,
    read_plan,
)

Readings = Mapping[TaskId, TaskReading]


def derive_jobs(state: LedgerState, settings: WaitingSettings, now: datetime) -> list[Job]:
    """The jobs of all plans, oldest first, including deleted ones."""
    reader = _JobReader(state, settings, now)
    return [reader.job(plan) for plan in state.plans]


def find_job(state: LedgerState, prefix: str, settings: WaitingSettings, now: datetime) -> Job:
    """The job whose id starts with `prefix`. Raises BadUsage or ClaudeBatchError."""
    plan = find_plan(state, prefix)
    if plan is None:
        raise unknown_job(prefix)
    return _JobReader(state, settings, now).job(plan)


def find_plan(state: LedgerState, prefix: str) -> Plan | None:
    """Raises BadUsage for a prefix that is too short, or that several ids start with."""
    check_prefix(prefix)
    plans = [plan for plan in state.plans if plan.id.startswith(prefix)]
    if len(plans) > 1:
        raise BadUsage(f"{len(plans)} jobs start with {prefix!r}", "give more of the id")
    return plans[0] if plans else None


def unknown_job(prefix: str) -> ClaudeBatchError:
    return ClaudeBatchError(
        f"there is no job {prefix!r}", "see `claude-batch jobs list --all` for the ids"
    )


@dataclass(frozen=True)
class _JobReader:
    state: LedgerState
    settings: WaitingSettings
    now: datetime

    def job(self, plan: Plan) -> Job:
        raw = read_plan(self.state, plan, self.settings, self.now)
        read = self._with_flush(plan, self._without_late_timeout(plan, raw))
        readings = self._with_ends(plan, read)
        own = self._index.own.get(plan.id, [])
        usd, usd_standard = total_usd(own)
        own_tasks = {task for request in asking(own) for task in request.tasks}
        known = (TaskState.ANSWERED, TaskState.IN_FLIGHT)
        status = self._status(plan, read, readings)
        return Job(
            plan,
            status,
            JobProgress.from_states(reading.state for reading in readings.values()),
            min((request.sent_at for request in asking(own)), default=None),
            self._completed_at(plan, status, readings),
            self._expires_at(plan, readings),
            usd,
            usd_standard,
            sum(r.state in known and task not in own_tasks for task, r in readings.items()),
            readings,
        )

    @cached_property
    def _index(self) -> RequestIndex:
        return RequestIndex.from_state(self.state)

    # Readings

    def _without_late_timeout(self, plan: Plan, read: Readings) -> Readings:
        """A timeout that passed after the end of the job changed nothing."""
        end = self._ended_at(plan)
        if end is None or plan.deadline is None or plan.deadline <= end:
            return read
        return {
            task: TaskReading(TaskState.WAITING) if reading.state is TaskState.EXPIRED else reading
            for task, reading in read.items()
        }

    def _ended_at(self, plan: Plan) -> datetime | None:
        """The time from which on nothing of it was sent, whatever was waiting."""
        successor = self._successors.get(plan.id)
        cancellation = find_cancellation(self.state, plan)
        times = [event.at for event in (successor, cancellation) if event]
        closed = closed_at(self.state, plan)
        return min([*times, closed] if closed else times, default=None)

    def _with_flush(self, plan: Plan, read: Readings) -> Readings:
        """Tasks of lane `later` wait for a flush, which depends on all that wait."""
        if plan.lane != "later":
            return read
        return {
            task: replace(reading, reason=WaitingReason.FLUSH, due_at=NEVER)
            if task in self._tasks_until_flush and _is_waiting(reading)
            else reading
            for task, reading in read.items()
        }

    @cached_property
    def _tasks_until_flush(self) -> frozenset[TaskId]:
        waiting = waiting_tasks(self.state, self.settings, self.now)
        return frozenset(
            item.task.id for item in waiting if item.reading.reason is WaitingReason.FLUSH
        )

    def _with_ends(self, plan: Plan, read: Readings) -> Readings:
        """Waiting tasks that nobody will send have been cancelled, or have expired."""
        if self._ended_at(plan):
            end = TaskReading(TaskState.CANCELLED)
        elif is_too_old(self.state, plan, self.now):
            end = TaskReading(TaskState.EXPIRED, problem="it has waited for 14 days")
        else:
            return read
        return {task: end if _is_waiting(reading) else reading for task, reading in read.items()}

    # Status

    def _status(self, plan: Plan, read: Readings, readings: Readings) -> JobStatus:
        cancellation = find_cancellation(self.state, plan)
        if cancellation:
            return JobStatus(cancellation.action)
        was_waiting = any(map(_is_waiting, read.values()))
        if is_closed(self.state, plan) and was_waiting:
            return JobStatus.CANCELLED
        if is_superseded(self.state, plan) or (was_waiting and plan.id in self._successors):
            return JobStatus.SUPERSEDED
        return next(self._task_statuses(readings), JobStatus.COMPLETED)

    def _task_statuses(self, readings: Readings) -> Iterator[JobStatus]:
        """The statuses that follow from the tasks alone, and that hold."""
        waiting = [reading for reading in readings.values() if _is_waiting(reading)]
        states = {reading.state for reading in readings.values()}
        if any(reading.reason is WaitingReason.PAUSED for reading in waiting):
            yield JobStatus.PAUSED
        if TaskState.IN_FLIGHT in states:
            yield JobStatus.PROCESSING
        if any(reading.is_due(self.now) for reading in waiting):
            yield JobStatus.QUEUED
        if waiting:
            yield JobStatus.PENDING
        # A batch was cancelled, and the job has ended with that.
        if TaskState.CANCELLED in states:
            yield JobStatus.CANCELLED
        if TaskState.EXPIRED in states:
            yield JobStatus.EXPIRED
        if states and TaskState.ANSWERED not in states:
            yield JobStatus.FAILED

    @cached_property
    def _successors(self) -> dict[str, Plan]:
        return find_successors(self.state.plans)

    # Times

    def _completed_at(self, plan: Plan, status: JobStatus, readings: Readings) -> datetime | None:
        """The time of its last answer, or of the change that ended it."""
        if any(r.state in (TaskState.WAITING, TaskState.IN_FLIGHT) for r in readings.values()):
            return None
        own = [request.answered_at for request in asking(self._index.own.get(plan.id, []))]
        successes = [self._index.first_successes.get(task) for task in readings]
        times = [at for at in (*own, *successes) if at is not None]
        match status:
            case JobStatus.DELETED | JobStatus.CANCELLED:
                times += [change.at for change in self.state.job_changes.get(plan.id, [])]
                closed = closed_at(self.state, plan)
                times += [closed] if closed else []
            case JobStatus.SUPERSEDED:
                times += [self._successors[plan.id].at]
            case JobStatus.EXPIRED if plan.deadline:
                times += [min(plan.deadline, self.now)]
            case _:
                pass
        return max([plan.at, *times])

    def _expires_at(self, plan: Plan, readings: Readings) -> datetime | None:
        expirations = [
            self._index.expirations[task]
            for task, reading in readings.items()
            if reading.state is TaskState.IN_FLIGHT and task in self._index.expirations
        ]
        return max(expirations, default=plan.deadline)


def _is_waiting(reading: TaskReading) -> bool:
    return reading.state is TaskState.WAITING
