"""What is asked once more without waiting for the next push: work that expired, failed in passing,
was cut short, or was lost on its way."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches import recovery as doubt
from claude_batch.batches.batching import SentBatch
from claude_batch.batches.collect_result import CollectResult
from claude_batch.errors import BudgetExceeded, CannotFetch, CannotRead, CannotSubmit
from claude_batch.ledger.events import Plan
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import ATTEMPTS, LedgerState, RequestRecord, TaskStatus
from claude_batch.submission.planner import SubmitResult
from claude_batch.submission.scope import Resubmission, ReviewScope
from claude_batch.tasks.task import TaskId


def due_resubmissions(state: LedgerState, now: datetime) -> list[Resubmission]:
    """By the latest plan of each pull request that is not closed, and of each range."""
    return [
        Resubmission(plan, tasks, "split" if tasks <= state.truncated_tasks(tasks) else "retry")
        for plan in _latest(state)
        if (tasks := frozenset(task for task in plan.task_ids if _can_be_retried(state, task, now)))
    ]


def _latest(view: LedgerState) -> Iterator[Plan]:
    """Those that commits can be read for: what was only staged waits for the next submit."""
    found = {(plan.repo, plan.pr, plan.pr or plan.label): plan for plan in view.plans}
    for plan in found.values():
        closed = view.closed.get(plan.pr) if plan.pr else None
        if plan.base and plan.head and not (closed and closed.at >= plan.at):
            yield plan


def _can_be_retried(view: LedgerState, task: TaskId, now: datetime) -> bool:
    """It has tries left. Whoever cancels does not want it sent again."""
    if view.task_status(task) is not TaskStatus.NEW:
        return False
    ends: list[RequestRecord] = []
    refusals: list[datetime] = []
    for row in view.rows_of(task):
        if row.asked.purpose == "verify" or (
            row.answered and not view.is_current(task, row.answered)
        ):
            continue
        if _is_tried(view, row) or _was_never_created(view, row):
            ends.append(row)
        elif refused := _refused_at(view, row):
            refusals.append(refused)
    last = max(ends, key=_at, default=None)
    return (
        last is not None
        and sum(_is_tried(view, row) for row in ends) < ATTEMPTS
        and not _is_canceled(last)
        and not _is_too_soon([at for at in refusals if at > _at(last)], now)
    )


def _is_too_soon(refusals: Collection[datetime], now: datetime) -> bool:
    """What the API refuses it may take later, or never: each pause is as long as all before it."""
    return bool(refusals) and now - max(refusals) < max(refusals) - min(refusals)


def _refused_at(view: LedgerState, row: RequestRecord) -> datetime | None:
    sending = view.batch_records.get(row.asked.intent)
    return sending.voided.at if sending and sending.voided else None


def _is_tried(view: LedgerState, row: RequestRecord) -> bool:
    """Answered, or its results are lost. A folded request is old, and does not say whether its
    error would pass."""
    sending = view.batch_records.get(row.asked.intent)
    if sending is None or not row.asked.sha:
        return False
    return bool(row.answered) or "lost" in sending.statuses


def _was_never_created(view: LedgerState, row: RequestRecord) -> bool:
    """We looked for it, and it had never arrived. What the API refused to take is another thing:
    nothing says that it would take it now."""
    sending = view.batch_records.get(row.asked.intent)
    return sending is not None and doubt.was_never_created(sending)


def _is_canceled(row: RequestRecord) -> bool:
    return row.answered is not None and row.answered.outcome is Outcome.CANCELED


def _at(row: RequestRecord) -> datetime:
    return (row.answered or row.asked).at


@dataclass(frozen=True)
class Resubmitter:
    ledger: Ledger
    load_scope: Callable[[Resubmission], ReviewScope]  # raises CannotFetch, CannotRead
    submit: Callable[[ReviewScope], SubmitResult]
    now: Callable[[], datetime]

    def send(self) -> CollectResult:
        """Submit what is due. A failure of one plan is a note of the result, and its tasks wait
        for the next collect or submit."""
        sent: list[SentBatch] = []
        notes: list[str] = []
        for resubmission in due_resubmissions(self.ledger.view(), self.now()):
            try:
                sent += self.submit(self.load_scope(resubmission)).sent
            except (BudgetExceeded, CannotFetch, CannotRead, CannotSubmit) as error:
                notes.append(f"{resubmission.plan.label} is not asked again: {error.problem}")
        return CollectResult(sent=tuple(sent), notes=tuple(notes))
