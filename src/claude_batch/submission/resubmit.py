"""Send tasks again that expired, failed for a passing reason, were truncated or were lost."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches import recovery
from claude_batch.batches.batching import SentBatch
from claude_batch.batches.collect_result import CollectResult
from claude_batch.errors import BudgetExceeded, CannotFetch, CannotRead, CannotSubmit
from claude_batch.ledger.batch_record import RequestRecord
from claude_batch.ledger.events import Plan
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import ATTEMPTS, LedgerState, TaskStatus
from claude_batch.submission.planner import SubmitResult
from claude_batch.submission.scope import Resubmission, ReviewScope
from claude_batch.tasks.task import TaskId


def due_resubmissions(state: LedgerState, now: datetime) -> list[Resubmission]:
    """The tasks to send again, by the latest plan of each open pull request and each range."""
    return [
        Resubmission(plan, tasks, "split" if tasks <= state.truncated_tasks(tasks) else "retry")
        for plan in _latest(state)
        if (tasks := frozenset(task for task in plan.task_ids if _can_be_retried(state, task, now)))
    ]


def _latest(state: LedgerState) -> Iterator[Plan]:
    """The latest plans with commits. Staged changes have none and wait for the next submit."""
    latest = {(plan.repo, plan.pr, plan.pr or plan.label): plan for plan in state.plans}
    for plan in latest.values():
        closed = state.closed.get(plan.pr) if plan.pr else None
        if plan.base and plan.head and not (closed and closed.at >= plan.at):
            yield plan


def _can_be_retried(state: LedgerState, task: TaskId, now: datetime) -> bool:
    """Return True if the task has tries left and was not cancelled."""
    if state.task_status(task) is not TaskStatus.NEW:
        return False
    ends: list[RequestRecord] = []
    refusals: list[datetime] = []
    for row in state.requests.of_task(task):
        if row.request.purpose == "verify" or (
            row.answer and not state.is_current(task, row.answer)
        ):
            continue
        if _is_tried(state, row) or _was_never_created(state, row):
            ends.append(row)
        elif refused := _refused_at(state, row):
            refusals.append(refused)
    last = max(ends, key=_at, default=None)
    return (
        last is not None
        and sum(_is_tried(state, row) for row in ends) < ATTEMPTS
        and not _is_canceled(last)
        and not _is_too_soon([at for at in refusals if at > _at(last)], now)
    )


def _is_too_soon(refusals: Collection[datetime], now: datetime) -> bool:
    """Back off after refusals: each pause is as long as all earlier ones together."""
    return bool(refusals) and now - max(refusals) < max(refusals) - min(refusals)


def _refused_at(state: LedgerState, row: RequestRecord) -> datetime | None:
    record = state.batch_records.get(row.request.intent)
    return record.abandoned.at if record and record.abandoned else None


def _is_tried(state: LedgerState, row: RequestRecord) -> bool:
    """Return True if the request was answered or its results are lost."""
    # A folded request does not tell whether its error was a passing one.
    record = state.batch_records.get(row.request.intent)
    if record is None or not row.request.sha:
        return False
    return bool(row.answer) or "lost" in record.statuses


def _was_never_created(state: LedgerState, row: RequestRecord) -> bool:
    # Unlike a batch that the API refused: it may refuse it again.
    record = state.batch_records.get(row.request.intent)
    return record is not None and recovery.was_never_created(record)


def _is_canceled(row: RequestRecord) -> bool:
    return row.answer is not None and row.answer.outcome is Outcome.CANCELED


def _at(row: RequestRecord) -> datetime:
    return (row.answer or row.request).at


@dataclass(frozen=True)
class Resubmitter:
    ledger: Ledger
    load_scope: Callable[[Resubmission], ReviewScope]  # raises CannotFetch, CannotRead
    submit: Callable[[ReviewScope], SubmitResult]
    now: Callable[[], datetime]

    def send(self) -> CollectResult:
        """Submit the due tasks. If those of one plan fail, the result has a note, and they wait
        for the next collect or submit."""
        sent: list[SentBatch] = []
        notes: list[str] = []
        for resubmission in due_resubmissions(self.ledger.view(), self.now()):
            try:
                sent += self.submit(self.load_scope(resubmission)).sent
            except (BudgetExceeded, CannotFetch, CannotRead, CannotSubmit) as error:
                notes.append(f"{resubmission.plan.label} is not asked again: {error.problem}")
        return CollectResult(sent=tuple(sent), notes=tuple(notes))
