"""Replay the moments of one job: its status and progress after each."""

from dataclasses import dataclass, field
from decimal import Decimal

from claude_batch.anthropic_api.results import Outcome
from claude_batch.jobs.job import JobProgress, JobStatus
from claude_batch.jobs.moments import Change, Moment
from claude_batch.ledger.batch_record import ZERO, RequestKey, RequestRecord
from claude_batch.ledger.events import Plan
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.holds import hold_targets
from claude_batch.waiting.task_states import TaskState, final_failure

WAITING, IN_FLIGHT, ANSWERED = TaskState.WAITING, TaskState.IN_FLIGHT, TaskState.ANSWERED


@dataclass
class JobReplay:
    plan: Plan
    states: dict[TaskId, TaskState] = field(default_factory=dict)
    usd: Decimal = ZERO
    end: JobStatus | None = None  # cancelled or deleted by a person
    is_closed: bool = False
    is_superseded: bool = False
    is_delayed: bool = False  # what waits is not due
    holds: set[str] = field(default_factory=set)
    _open: dict[TaskId, set[RequestKey | None]] = field(default_factory=dict)
    _failures: dict[TaskId, list[RequestRecord]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.states = dict.fromkeys((task.id for task in self.plan.tasks), WAITING)
        self.is_delayed = self.plan.lane == "later" or self.plan.not_before is not None

    def apply(self, moment: Moment) -> None:
        match moment.change:
            case Change.SENT:
                self._send(moment)
            case Change.ANSWERED:
                self._answer(moment)
            case Change.ABANDONED:
                for task in moment.tasks:
                    self._close(task, moment.key)
            case Change.RESET:
                self._reset(moment.tasks)
            case Change.EXPIRED if not self.is_over:
                expired = [task for task, state in self.states.items() if state is WAITING]
                self.states |= dict.fromkeys(expired, TaskState.EXPIRED)
            case _:
                self._apply_to_job(moment)

    def _apply_to_job(self, moment: Moment) -> None:
        match moment.change:
            case Change.HELD:
                self.holds.add(moment.target)
            case Change.RELEASED:
                self.holds.discard(moment.target)
            case Change.CANCELLED | Change.DELETED:
                self.end = JobStatus(moment.change.name.lower())
            case Change.REOPENED:
                self.end = None
            case Change.BUDGET_REACHED | Change.NOT_SENT:
                self.is_delayed = True
            case Change.TIME_CAME:
                self.is_delayed = self.plan.lane == "later"
            case _:
                self.is_closed |= moment.change is Change.CLOSED
                self.is_superseded |= moment.change is Change.SUPERSEDED

    # Tasks

    def _send(self, moment: Moment) -> None:
        self.is_delayed = self.is_delayed and not moment.is_own
        for task in moment.tasks:
            self._open.setdefault(task, set()).add(moment.key)
            if moment.is_own or self.states[task] is not ANSWERED:
                self.states[task] = IN_FLIGHT

    def _answer(self, moment: Moment) -> None:
        self.usd += moment.usd
        for task in moment.tasks:
            if moment.failure is None:
                self._open.get(task, set()).discard(moment.key)
                self.states[task] = ANSWERED
            else:
                self._fail(task, moment, moment.failure)

    def _fail(self, task: TaskId, moment: Moment, failure: RequestRecord) -> None:
        self._close(task, moment.key)
        if self.states[task] is not WAITING or moment.at < self.plan.at:
            return
        if failure.answer and failure.answer.outcome is Outcome.CANCELED:
            is_own = failure.request.pr == self.plan.pr
            self.states[task] = TaskState.CANCELLED if is_own else WAITING
            return
        failures = self._failures.setdefault(task, [])
        failures.append(failure)
        if final_failure(failures):
            self.states[task] = TaskState.FAILED

    def _close(self, task: TaskId, key: RequestKey | None) -> None:
        """End a request that did not answer the task."""
        still_open = {one for one in self._open.get(task, set()) if one != key}
        self._open[task] = still_open
        if self.states[task] is IN_FLIGHT and not still_open:
            self.states[task] = WAITING

    def _reset(self, tasks: tuple[TaskId, ...]) -> None:
        for task in tasks:
            self._failures.pop(task, None)
            if self.states[task] is not IN_FLIGHT:
                self.states[task] = WAITING

    # The job

    @property
    def is_over(self) -> bool:
        """True if nothing that waits will be sent."""
        return self.end is not None or self.is_closed or self.is_superseded

    @property
    def progress(self) -> JobProgress:
        return JobProgress.from_states(
            TaskState.CANCELLED if state is WAITING and self.is_over else state
            for state in self.states.values()
        )

    @property
    def status(self) -> JobStatus:
        states = set(self.states.values())
        if self.end:
            return self.end
        if self.is_closed and WAITING in states:
            return JobStatus.CANCELLED
        if self.is_superseded and (self.plan.pr is not None or WAITING in states):
            return JobStatus.SUPERSEDED
        if self._is_held():
            return JobStatus.PAUSED
        if IN_FLIGHT in states:
            return JobStatus.PROCESSING
        if WAITING in states:
            return JobStatus.PENDING if self.is_delayed else JobStatus.QUEUED
        return self._ended_status(states)

    def _ended_status(self, states: set[TaskState]) -> JobStatus:
        if TaskState.CANCELLED in states:
            return JobStatus.CANCELLED
        if TaskState.EXPIRED in states:
            return JobStatus.EXPIRED
        return JobStatus.FAILED if states and ANSWERED not in states else JobStatus.COMPLETED

    def _is_held(self) -> bool:
        kinds = {task.kind for task in self.plan.tasks if self.states[task.id] is WAITING}
        return bool(kinds and self.holds & hold_targets(self.plan.id, kinds))
