"""The states of the tasks of a plan: answered, in flight, waiting, failed, expired, cancelled.

Everything follows from the ledger, the settings of today and the time. A task that is planned and
neither in flight nor validly answered is waiting, unless it failed for good.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from claude_batch.anthropic_api.results import Outcome
from claude_batch.ledger.batch_record import RequestRecord
from claude_batch.ledger.events import BILLED, AnswerRecorded, Plan, Unsent, is_lost
from claude_batch.ledger.view import LedgerState, plan_key
from claude_batch.tasks.plan import PlannedTask
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.current_plans import reopened_at
from claude_batch.waiting.holds import hold_targets
from claude_batch.waiting.settings import WaitingSettings

MAX_ATTEMPTS = 3  # paid ones, for a task on one head
MAX_LOST = 2  # of lane `now`: each may have been paid, and nothing can find it again
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
    is_batched: bool = False  # in flight, and only in a batch: lane `now` may overtake it

    def is_due(self, now: datetime) -> bool:
        return self.state is TaskState.WAITING and (self.due_at is None or self.due_at <= now)


ANSWERED = TaskReading(TaskState.ANSWERED)


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
        records = self._records(task.id)
        current = [row for row in records if self._is_current(task, row)]
        answers = [row for row in current if self._is_success(row)]
        if any(self._has_same_definition(task, row) for row in answers):
            return ANSWERED
        in_flight = [row for row in records if row.is_open and not row.answer]
        if in_flight:
            lanes = {self.state.batch_records[row.request.intent].intent.lane for row in in_flight}
            return TaskReading(TaskState.IN_FLIGHT, is_batched=lanes == {"batch"})
        if answers and not self._is_reask_due(task, answers):
            return ANSWERED
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

    def _is_reask_due(self, task: PlannedTask, answers: Sequence[RequestRecord]) -> bool:
        """True if a task is to be asked again because the definition around it has changed."""
        newest = _answer_order(answers[-1])[0]
        is_reasked = len(answers) > 1
        if is_reasked and self.now - newest < REASK_INTERVAL:
            return False
        # The change may be a task of this plan, and that is asked with this one as its context.
        return (task.kind, task.definition) not in self._changed_definitions

    @cached_property
    def _changed_definitions(self) -> frozenset[tuple[str, str]]:
        """By kind, the definitions with a task that never had an answer for another text of it."""
        return frozenset(
            (task.kind, task.definition)
            for task in self.plan.tasks
            if task.definition and self._is_about_present_definition(task)
        )

    def _is_about_present_definition(self, task: PlannedTask) -> bool:
        asked = [_definition(task.id, row) for row in self._records(task.id)]
        return not asked or task.definition in asked

    def _records(self, task: TaskId) -> list[RequestRecord]:
        """In the order of their answers. A second look does not answer its tasks."""
        rows = (row for row in self.state.requests.of_task(task) if row.request.purpose != "verify")
        return sorted(rows, key=_answer_order)  # folding changes the order of the ledger

    # Failures

    @cached_property
    def _deadline(self) -> datetime | None:
        """None if a person re-opened the job after its deadline."""
        deadline, reopened = self.plan.deadline, reopened_at(self.state, self.plan)
        return None if deadline and reopened and reopened >= deadline else deadline

    def _was_cancelled(self, rows: Sequence[RequestRecord]) -> bool:
        """True if a person cancelled the request that this plan's pull request sent last."""
        last = next((row for row in reversed(rows) if row.answer), None)
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
        reason, problem, due_at = self._reason(task, tried)
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
        return self.state.first_planned.get(plan_key(self.plan), self.plan.at)

    # Reasons to wait

    def _reason(
        self, task: PlannedTask, tried: Sequence[RequestRecord]
    ) -> tuple[WaitingReason, str, datetime | None]:
        if hold_targets(self.plan.id, [task.kind]) & self.state.holds.keys():
            return WaitingReason.PAUSED, "", NEVER
        if self.plan.head is None:
            return WaitingReason.SUBMIT, "", NEVER
        if self.plan.not_before and self.now < self.plan.not_before:
            return WaitingReason.NOT_BEFORE, "", self.plan.not_before
        failures = self._unpaid_failures(task.id, tried)
        unsent = self._last_unsent(task.id)
        if unsent and all(unsent.at >= failure.at for failure in failures):
            is_budget = unsent.reason == "budget"
            reason = WaitingReason.BUDGET if is_budget else WaitingReason.NEXT_RUN
            return reason, unsent.problem, unsent.retry_at
        if failures:
            last = max(failures, key=lambda failure: failure.at)
            # The first answer that failed is asked again at once, a refused batch is not sent so.
            steps = len(failures) + last.is_batch
            return WaitingReason.REFUSED, last.problem, last.at + back_off(steps)
        return WaitingReason.NEXT_RUN, "", None

    def _last_unsent(self, task: TaskId) -> Unsent | None:
        """The last attempt to send the plan, if its wait is not over."""
        events, reset_at = self.state.unsent.get(self.plan.id), self.state.reset_times.get(task)
        if not events or (reset_at and events[-1].at <= reset_at):
            return None
        is_over = events[-1].settings not in ("", self.settings.digest)
        return None if is_over else events[-1]

    def _unpaid_failures(
        self, task: TaskId, tried: Iterable[RequestRecord]
    ) -> list["_UnpaidFailure"]:
        """The failures since the last paid answer, and since a person reset the task."""
        rows = list(tried)
        paid = (row.answer.at for row in rows if row.answer and row.answer.outcome in BILLED)
        ends = [*paid, *filter(None, [self.state.reset_times.get(task)])]
        failures = filter(None, map(self._unpaid_failure, rows))
        return [failure for failure in failures if all(failure.at > end for end in ends)]

    def _unpaid_failure(self, row: RequestRecord) -> "_UnpaidFailure | None":
        answer = row.answer
        if answer:
            is_free = answer.outcome not in (*BILLED, Outcome.CANCELED)
            return _UnpaidFailure(answer.at, _problem(answer), is_batch=False) if is_free else None
        record = self.state.batch_records.get(row.request.intent)
        abandoned = record.abandoned if record else None
        if abandoned and abandoned.is_refusal:
            return _UnpaidFailure(abandoned.at, abandoned.reason, is_batch=True)
        return None


@dataclass(frozen=True, slots=True)
class _UnpaidFailure:
    at: datetime
    problem: str
    is_batch: bool  # the API did not take the batch, so there is no answer


def final_failure(tried: Sequence[RequestRecord]) -> str:
    """The reason why a task is not tried again after these requests; empty if it is.

    The requests are in the order of their answers.
    """
    answers = [row.answer for row in tried if row.answer]
    for row in tried:
        if row.answer and _is_final(row.answer, is_alone=len(row.request.tasks) == 1):
            return _problem(row.answer)
    paid = sum(a.outcome in BILLED and a.outcome is not Outcome.SUCCEEDED for a in answers)
    is_over = paid >= MAX_ATTEMPTS or sum(map(is_lost, answers)) >= MAX_LOST
    return _problem(answers[-1]) if is_over else ""


def _is_final(answer: AnswerRecorded, *, is_alone: bool) -> bool:
    """True if the same request would fail again."""
    if answer.outcome is Outcome.ERRORED:
        return not answer.retriable
    return answer.outcome is Outcome.REFUSED and is_alone


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


def _answer_order(row: RequestRecord) -> tuple[datetime, str, int]:
    """A key that sorts by time, and is unique."""
    at = row.answer.at if row.answer else row.request.at
    return at, row.request.intent, row.request.n


def _problem(answer: AnswerRecorded) -> str:
    return answer.error or answer.outcome.value
