"""What is asked once more without waiting for the next push: work that expired, failed in passing,
was cut short, or was lost on its way."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches import recovery as doubt
from claude_batch.batches.batching import Sent
from claude_batch.batches.collect_result import Followed
from claude_batch.errors import BudgetExceeded, CannotFetch, CannotRead, CannotSubmit
from claude_batch.ledger.events import Plan
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import ATTEMPTS, Row, Standing, View
from claude_batch.submission.planner import Submission
from claude_batch.submission.scope import Again, Subject
from claude_batch.tasks.task import TaskId


def due(view: View, now: datetime) -> list[Again]:
    """By the latest plan of each pull request that is not closed, and of each range."""
    return [
        Again(plan, tasks, "split" if tasks <= view.cut_short(tasks) else "retry")
        for plan in _latest(view)
        if (tasks := frozenset(task for task in _planned(plan) if _is_stranded(view, task, now)))
    ]


def _planned(plan: Plan) -> set[TaskId]:
    return {task.id for file in plan.files for task in file.tasks}


def _latest(view: View) -> Iterator[Plan]:
    """Those that commits can be read for: what was only staged waits for the next submit."""
    found = {(plan.repo, plan.pr, plan.pr or plan.label): plan for plan in view.plans}
    for plan in found.values():
        closed = view.closed.get(plan.pr) if plan.pr else None
        if plan.base and plan.head and not (closed and closed.at >= plan.at):
            yield plan


def _is_stranded(view: View, task: TaskId, now: datetime) -> bool:
    """It has tries left. Whoever cancels does not want it sent again."""
    if view.standing(task) is not Standing.NEW:
        return False
    ends: list[Row] = []
    refusals: list[datetime] = []
    for row in view.rows_of(task):
        if row.asked.purpose == "verify" or (row.answered and not view.holds(task, row.answered)):
            continue
        if _is_tried(view, row) or _is_astray(view, row):
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


def _refused_at(view: View, row: Row) -> datetime | None:
    sending = view.sendings.get(row.asked.intent)
    return sending.voided.at if sending and sending.voided else None


def _is_tried(view: View, row: Row) -> bool:
    """Answered, or its results are lost. A folded request is old, and does not say whether its
    error would pass."""
    sending = view.sendings.get(row.asked.intent)
    if sending is None or not row.asked.sha:
        return False
    return bool(row.answered) or "lost" in sending.statuses


def _is_astray(view: View, row: Row) -> bool:
    """We looked for it, and it had never arrived. What the API refused to take is another thing:
    nothing says that it would take it now."""
    sending = view.sendings.get(row.asked.intent)
    return sending is not None and doubt.never_arrived(sending)


def _is_canceled(row: Row) -> bool:
    return row.answered is not None and row.answered.outcome is Outcome.CANCELED


def _at(row: Row) -> datetime:
    return (row.answered or row.asked).at


@dataclass(frozen=True)
class Resubmitter:
    ledger: Ledger
    subject: Callable[[Again], Subject]  # raises CannotFetch, CannotRead
    submit: Callable[[Subject], Submission]
    now: Callable[[], datetime]

    def send(self) -> Followed:
        """Trouble with one plan is a note; its tasks wait for the next collect or submit."""
        sent: list[Sent] = []
        notes: list[str] = []
        for again in due(self.ledger.view(), self.now()):
            try:
                sent += self.submit(self.subject(again)).sent
            except (BudgetExceeded, CannotFetch, CannotRead, CannotSubmit) as refusal:
                notes.append(f"{again.plan.label} is not asked again: {refusal.problem}")
        return Followed(tuple(sent), notes=tuple(notes))
