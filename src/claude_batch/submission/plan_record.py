"""Build the plan that the ledger records for a submission."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from claude_batch.ledger import events
from claude_batch.ledger.events import Plan, SkippedPath, Stamp
from claude_batch.ledger.view import LedgerState
from claude_batch.submission import budget_ladder
from claude_batch.submission.scope import PendingWork
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import DiffOrigin, FileOrigin, Task


def build_plan(
    state: LedgerState, work: PendingWork, sent: Sequence[Task], plan_id: str, now: datetime
) -> Plan:
    """Build the plan. If only a part is sent, files with unsent tasks are recorded as left out."""
    scope, comparison = work.scope, work.scope.comparison
    left_out = [SkippedPath(path=file.path, reason=file.reason) for file in scope.skipped]
    if sent:
        ids = {task.id for task in sent}
        unsent = dict.fromkeys(task.path for task in work.new if task.id not in ids)
        left_out += [SkippedPath(path=path, reason=budget_ladder.OVER_BUDGET) for path in unsent]
    at = events.next_timestamp(_times(state, scope.pr, comparison.label), now)
    return Stamp(scope.run, scope.repo, lambda: at).event(
        Plan,
        id=plan_id,
        pr=scope.pr,
        label=comparison.label,
        base=comparison.base,
        head=comparison.head,
        files=tuple(plan_files(scope.tasks)),
        left_out=tuple(left_out),
        new=len(sent),
        reused=len(work.known),
    )


def is_recorded(state: LedgerState, plan: Plan) -> bool:
    """Return True if the latest plan of the same pull request or range has the same content."""

    def content(plan: Plan) -> object:
        return plan.base, plan.head, plan.files, plan.left_out

    earlier = _earlier_plans(state, plan.pr, plan.label)
    return bool(earlier) and content(max(earlier, key=lambda plan: plan.at)) == content(plan)


def _earlier_plans(state: LedgerState, pr: int | None, label: str) -> list[Plan]:
    return [plan for plan in state.plans if (plan.pr, plan.label) == (pr, label)]


def _times(state: LedgerState, pr: int | None, label: str) -> Iterator[datetime]:
    """The times of the events that a new plan must follow."""
    yield from (plan.at for plan in _earlier_plans(state, pr, label))
    if pr in state.closed:  # a later plan opens the pull request again
        yield state.closed[pr].at


def plan_files(tasks: Sequence[Task]) -> Iterator[PlannedFile]:
    grouped: dict[str, list[Task]] = {}
    for task in tasks:
        grouped.setdefault(task.path, []).append(task)
    for path, group in grouped.items():
        old_path, old_blob, new_blob = _blobs(group[0])
        yield PlannedFile(
            path=path,
            old_path=old_path,
            old_blob=old_blob,
            new_blob=new_blob,
            tasks=tuple(
                PlannedTask(
                    id=task.id,
                    kind=task.kind,
                    old_start=task.hunk.old_start,
                    new_start=task.hunk.new_start,
                )
                for task in group
            ),
        )


def _blobs(task: Task) -> tuple[str, str, str]:
    match task.origin:
        case DiffOrigin(old_path, old_blob, new_blob):
            return old_path, old_blob, new_blob
        case FileOrigin(blob):
            return task.path, blob, blob
        case _:
            return task.path, "", ""
