"""What one submit looks at, as the ledger keeps it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from claude_batch.ledger import events as order
from claude_batch.ledger.events import Plan, SkippedFile, Stamp
from claude_batch.ledger.view import LedgerState
from claude_batch.submission import budget_ladder as ladder
from claude_batch.submission.scope import PendingWork
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import Changed, Named, Task


def build_plan(
    state: LedgerState, work: PendingWork, sent: Sequence[Task], plan_id: str, now: datetime
) -> Plan:
    """A file of which something stays behind while others are sent is named as left out."""
    subject, comparison = work.scope, work.scope.comparison
    left_out = [SkippedFile(path=one.path, reason=one.reason) for one in subject.skipped]
    if sent:
        ids = {task.id for task in sent}
        unsent = dict.fromkeys(task.path for task in work.new if task.id not in ids)
        left_out += [SkippedFile(path=path, reason=ladder.OVER_BUDGET) for path in unsent]
    at = order.next_timestamp(_times(state, subject.pr, comparison.label), now)
    return Stamp(subject.run, subject.repo, lambda: at).event(
        Plan,
        id=plan_id,
        pr=subject.pr,
        label=comparison.label,
        base=comparison.base,
        head=comparison.head,
        files=tuple(plan_files(subject.tasks)),
        left_out=tuple(left_out),
        new=len(sent),
        reused=len(work.known),
    )


def is_recorded(state: LedgerState, plan: Plan) -> bool:
    """Whether the latest plan about the same thing has the same content."""

    def content(one: Plan) -> object:
        return one.base, one.head, one.files, one.left_out

    same = _about(state, plan.pr, plan.label)
    return bool(same) and content(max(same, key=lambda one: one.at)) == content(plan)


def _about(view: LedgerState, pr: int | None, label: str) -> list[Plan]:
    return [one for one in view.plans if (one.pr, one.label) == (pr, label)]


def _times(view: LedgerState, pr: int | None, label: str) -> Iterator[datetime]:
    """Of what a new plan is the sequel to: one after the end opens a pull request again."""
    yield from (one.at for one in _about(view, pr, label))
    if pr in view.closed:
        yield view.closed[pr].at


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
    match task.source:
        case Changed(old_path, old_blob, new_blob):
            return old_path, old_blob, new_blob
        case Named(blob):
            return task.path, blob, blob
        case _:
            return task.path, "", ""
