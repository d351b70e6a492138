"""Build the plan that the ledger records for a submission."""

from collections.abc import Sequence
from datetime import datetime
from itertools import starmap

from claude_batch.ledger import events
from claude_batch.ledger.events import Plan, SkippedPath
from claude_batch.ledger.view import LedgerState
from claude_batch.submission import budget_ladder
from claude_batch.submission.scope import PendingWork
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import DiffOrigin, FileOrigin, Task, tasks_by_path


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
    earlier = [plan.at for plan in _earlier_plans(state, scope.pr, comparison.label)]
    if scope.pr in state.closed:  # a later plan opens the pull request again
        earlier.append(state.closed[scope.pr].at)
    return Plan(
        at=events.next_timestamp(earlier, now),
        run=scope.run,
        repo=scope.repo,
        id=plan_id,
        pr=scope.pr,
        label=comparison.label,
        base=comparison.base,
        head=comparison.head,
        files=tuple(starmap(_plan_file, tasks_by_path(scope.tasks).items())),
        left_out=tuple(left_out),
        new=len(sent),
        reused=len(work.known),
    )


def is_recorded(state: LedgerState, plan: Plan) -> bool:
    """Return True if the latest plan of the same pull request or range has the same content."""

    def content(plan: Plan) -> object:
        return plan.base, plan.head, plan.files, plan.left_out

    earlier = _earlier_plans(state, plan.pr, plan.label)
    return bool(earlier) and content(earlier[-1]) == content(plan)


def _earlier_plans(state: LedgerState, pr: int | None, label: str) -> list[Plan]:
    """Oldest first."""
    return [plan for plan in state.plans if (plan.pr, plan.label) == (pr, label)]


def _plan_file(path: str, tasks: Sequence[Task]) -> PlannedFile:
    match tasks[0].origin:
        case DiffOrigin(old_path, old_blob, new_blob):
            pass
        case FileOrigin(blob):
            old_path, old_blob, new_blob = path, blob, blob
        case _:
            old_path, old_blob, new_blob = path, "", ""
    planned = (
        PlannedTask(task.id, task.kind, task.hunk.old_start, task.hunk.new_start) for task in tasks
    )
    return PlannedFile(path, old_path, old_blob, new_blob, tuple(planned))
