"""What became of the tasks of a plan: answered, in flight, waiting, failed, expired, cancelled.

Everything follows from the ledger, the settings of today and the time. A task that is planned and
neither in flight nor validly answered is waiting, unless it failed for good.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from claude_batch.anthropic_api.results import Outcome
from claude_batch.ledger.batch_record import RequestRecord
from claude_batch.ledger.events import BILLED, AnswerRecorded, Plan, Unsent
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.plan import PlannedTask
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.current_plans import reopened_at
from claude_batch.waiting.settings import WaitingSettings

MAX_ATTEMPTS = 3  # paid ones, for a task on one head
RESULTS_AVAILABLE = timedelta(days=29)  # as of 2026-11, from the batch's creation
REASK_INTERVAL = timedelta(days=1)  # for a task whose surroundings changed
NEVER = datetime.max.replace(tzinfo=UTC)
BACK_OFF = (
    *(timedelta(), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=2)),
    *(timedelta(hours=4), timedelta(hours=8), timedelta(hours=24)),
)


class TaskState(StrEnum):
    ANSWERED = "answered"
    IN_FLIGHT = "in_flight"
    WAITING = "waiting"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class WaitingReason(StrEnum):
    NEXT_RUN = "next run"
    BUDGET = "budget"
    PAUSED = "paused"
    REFUSED = "refused by the API"
    NOT_BEFORE = "its time has not come"
    FLUSH = "a flush"
    SUBMIT = "the next submit"  # its changes are in no commit


@dataclass(frozen=True, slots=True)
class TaskReading:
    """`problem`: the last failure, for people; empty if there was none."""

    state: TaskState
    reason: WaitingReason | None = None  # of a waiting task
    problem: str = ""
    due_at: datetime | None = None  # a waiting task is not sent before; None: it is due
    is_solo: bool = False  # it needs a request of its own: a shared one was refused or truncated
    limit_factor: int = 1  # by which its `max_tokens` is larger than usual
    is_reask: bool = False  # it has an answer, but the code around it has changed

    def is_due(self, now: datetime) -> bool:
        return self.state is TaskState.WAITING and (self.due_at is None or self.due_at <= now)


ANSWERED = TaskReading(TaskState.ANSWERED)
IN_FLIGHT = TaskReading(TaskState.IN_FLIGHT)


def back_off(failures: int) -> timedelta:
    """The pause after so many failures in a row that cost nothing."""
    return BACK_OFF[min(failures, len(BACK_OFF)) - 1] if failures else timedelta()


def read_plan(
    state: LedgerState, plan: Plan, settings: WaitingSettings, now: datetime
) -> dict[TaskId, TaskReading]:
    """Each task of the plan once. Whether the plan is still wanted is not asked here."""
    reader = _PlanReader(state, plan, settings, now)
    return {task.id: reader.read(task) for task in plan.tasks}


@dataclass(frozen=True)
class _PlanReader:
    state: LedgerState
    plan: Plan
    settings: WaitingSettings
    now: datetime

    def read(self, task: PlannedTask) -> TaskReading:
        records = [
            row for row in self.state.requests.of_task(task.id) if row.request.purpose != "verify"
        ]
        current = [row for row in records if self._is_current(task, row)]
        answers = [row for row in current if self._is_success(row)]
        valid = [row for row in answers if self._has_same_definition(task, row)]
        if valid:
            return ANSWERED
        if any(row.is_open and not row.answer for row in records):
            return IN_FLIGHT
        if answers and not self._may_be_asked_again(task, answers):
            return ANSWERED  # the old answer stays for now
        if self._was_cancelled(current):
            return TaskReading(TaskState.CANCELLED)
        if self._deadline and self.now >= self._deadline:
            return TaskReading(TaskState.EXPIRED, problem="its timeout has passed")
        return self._waiting_or_failed(task, current, is_reask=bool(answers))

    # Answers

    def _is_current(self, task: PlannedTask, row: RequestRecord) -> bool:
        return row.answer is None or self.state.is_current(task.id, row.answer)

    def _is_success(self, row: RequestRecord) -> bool:
        answer = row.answer
        return (
            answer is not None
            and answer.outcome is Outcome.SUCCEEDED
            and is_readable(self.state, answer, self.now)
        )

    def _has_same_definition(self, task: PlannedTask, row: RequestRecord) -> bool:
        asked = _definition(task.id, row)
        return not asked or not task.definition or asked == task.definition

    def _may_be_asked_again(self, task: PlannedTask, answers: Sequence[RequestRecord]) -> bool:
        """False if the change around it is asked as a task of this plan, with it as context, or if
        it was asked less than a day ago."""
        newest = max(row.answer.at for row in answers if row.answer)
        if self.now - newest < REASK_INTERVAL:
            return False
        return not any(
            other.id != task.id and other.definition == task.definition and self._is_fresh(other)
            for other in self._tasks_by_kind.get(task.kind, ())
        )

    def _is_fresh(self, task: PlannedTask) -> bool:
        """True if it has no answer yet, or one that was given with its present surroundings."""
        rows = [
            row for row in self.state.requests.of_task(task.id) if row.request.purpose != "verify"
        ]
        return not any(row.answer for row in rows) or any(
            _definition(task.id, row) == task.definition for row in rows
        )

    @cached_property
    def _tasks_by_kind(self) -> dict[str, list[PlannedTask]]:
        groups: dict[str, list[PlannedTask]] = {}
        for task in self.plan.tasks:
            groups.setdefault(task.kind, []).append(task)
        return groups

    # Failures

    @cached_property
    def _deadline(self) -> datetime | None:
        """None if a person re-opened the job after its deadline."""
        deadline, reopened = self.plan.deadline, reopened_at(self.state, self.plan)
        return None if deadline and reopened and reopened >= deadline else deadline

    def _was_cancelled(self, rows: Sequence[RequestRecord]) -> bool:
        """True if a person cancelled the request that this plan's pull request sent last."""
        last = max((row for row in rows if row.answer), key=_answered_at, default=None)
        return (
            last is not None
            and last.answer is not None
            and last.answer.outcome is Outcome.CANCELED
            and last.request.pr == self.plan.pr
            and last.answer.at >= self._since
        )

    def _waiting_or_failed(
        self, task: PlannedTask, rows: Sequence[RequestRecord], *, is_reask: bool
    ) -> TaskReading:
        tried = [row for row in rows if self._counts(row)]
        failure = final_failure(tried)
        if failure:
            return TaskReading(TaskState.FAILED, problem=failure)
        cut = [row for row in tried if _outcome(row) in (Outcome.REFUSED, Outcome.TRUNCATED)]
        alone = [
            row for row in cut if _outcome(row) is Outcome.TRUNCATED and len(row.request.tasks) == 1
        ]
        reason, problem, due_at = self._reason(task, rows)
        factor = min(4, 2 ** len(alone))
        return TaskReading(TaskState.WAITING, reason, problem, due_at, bool(cut), factor, is_reask)

    def _counts(self, row: RequestRecord) -> bool:
        """True for a request on this head with a setting of today."""
        return (
            row.request.at >= self._since
            and row.request.model in self.settings.models
            and row.request.effort in self.settings.efforts
        )

    @cached_property
    def _since(self) -> datetime:
        """The first plan of the same head: attempts before it do not count."""
        plan = self.plan
        return min(
            other.at
            for other in (*self.state.plans, plan)
            if (other.repo, other.pr, other.head) == (plan.repo, plan.pr, plan.head)
            and (plan.pr is not None or other.label == plan.label)
        )

    # Reasons to wait

    def _reason(
        self, task: PlannedTask, rows: Sequence[RequestRecord]
    ) -> tuple[WaitingReason, str, datetime | None]:
        for target in ("all", f"kind:{task.kind}", self.plan.id):
            if target in self.state.holds:
                return WaitingReason.PAUSED, "", NEVER
        if self.plan.head is None:
            return WaitingReason.SUBMIT, "", NEVER
        if self.plan.not_before and self.now < self.plan.not_before:
            return WaitingReason.NOT_BEFORE, "", self.plan.not_before
        refusals = [*self._unpaid_failures(rows), *self._refused_intents(rows)]
        unsent = [event for event in self.state.unsent.get(self.plan.id, ()) if self._holds(event)]
        if unsent and unsent[-1].at >= max((at for at, _ in refusals), default=unsent[-1].at):
            event = unsent[-1]
            is_budget = event.reason == "budget"
            reason = WaitingReason.BUDGET if is_budget else WaitingReason.NEXT_RUN
            return reason, event.problem, event.retry_at
        if refusals:
            at, problem = max(refusals)
            return WaitingReason.REFUSED, problem, at + back_off(len(refusals))
        return WaitingReason.NEXT_RUN, "", None

    def _holds(self, event: Unsent) -> bool:
        return event.settings in ("", self.settings.digest)

    def _unpaid_failures(self, rows: Iterable[RequestRecord]) -> Iterator[tuple[datetime, str]]:
        """Times and reasons since the last answer that was paid for."""
        answers = sorted(
            (row.answer for row in rows if row.answer), key=lambda answer: answer.at, reverse=True
        )
        for answer in answers:
            if answer.outcome in BILLED:
                return
            if answer.outcome is not Outcome.CANCELED:
                yield answer.at, _problem(answer)

    def _refused_intents(self, rows: Iterable[RequestRecord]) -> Iterator[tuple[datetime, str]]:
        for row in rows:
            record = self.state.batch_records.get(row.request.intent)
            refused = record.abandoned if record and not row.answer else None
            if refused and refused.is_refusal:
                yield refused.at, refused.reason


def final_failure(tried: Sequence[RequestRecord]) -> str:
    """The reason why a task is not tried again after these requests; empty if it is."""
    answers = [row.answer for row in tried if row.answer]
    last = max(answers, key=lambda answer: answer.at, default=None)
    for row in tried:
        answer = row.answer
        if answer is None:
            continue
        is_alone = len(row.request.tasks) == 1
        if answer.outcome is Outcome.ERRORED and not answer.retriable:
            return _problem(answer)
        if answer.outcome is Outcome.REFUSED and is_alone:
            return _problem(answer)
    paid = [a for a in answers if a.outcome in BILLED and a.outcome is not Outcome.SUCCEEDED]
    return _problem(last) if last and len(paid) >= MAX_ATTEMPTS else ""


def is_readable(state: LedgerState, answer: AnswerRecorded, now: datetime) -> bool:
    """True if the findings of the answer can be read, from the ledger or from the API."""
    if not answer.findings or answer.shard in state.shards:
        return True
    record = state.batch_records.get(answer.intent)
    batch = record.submitted if record and not answer.shard else None
    return batch is not None and now < batch.created_at + RESULTS_AVAILABLE


def _definition(task: TaskId, row: RequestRecord) -> str:
    return next((asked.definition for asked in row.request.tasks if asked.id == task), "")


def _outcome(row: RequestRecord) -> Outcome | None:
    return row.answer.outcome if row.answer else None


def _answered_at(row: RequestRecord) -> datetime:
    return row.answer.at if row.answer else row.request.at


def _problem(answer: AnswerRecorded) -> str:
    return answer.error or answer.outcome.value
