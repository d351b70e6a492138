"""Build the plan that the ledger records for a submission."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from itertools import starmap

from claude_batch.config.model import BUILT_IN_KINDS
from claude_batch.ledger import events
from claude_batch.ledger.events import PinnedKind, Plan, SkippedPath
from claude_batch.ledger.view import LedgerState
from claude_batch.submission.scope import ReviewScope
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import DiffOrigin, FileOrigin, Kind, Task, TaskId, tasks_by_path
from claude_batch.waiting.current_plans import is_cancelled, is_closed


def build_plan(
    state: LedgerState, scope: ReviewScope, kinds: Iterable[Kind], plan_id: str, now: datetime
) -> Plan:
    """The plan of a scope; the recorded one if it has the same content and is still wanted."""
    comparison = scope.comparison
    subject = scope.pr, comparison.label
    earlier = [plan for plan in state.plans if (plan.pr, plan.label) == subject]
    times = [plan.at for plan in earlier]
    closed = state.closed.get(scope.pr) if scope.pr is not None else None
    if closed:  # a later plan opens the pull request again
        times.append(closed.at)
    names = {task.kind for task in scope.tasks}
    files = tuple(starmap(_plan_file, tasks_by_path(scope.tasks).items()))
    plan = Plan(
        at=events.next_timestamp(times, now),
        run=scope.run,
        repo=scope.repo,
        id=plan_id,
        pr=scope.pr,
        label=comparison.label,
        base=comparison.base,
        head=comparison.head,
        files=files,
        left_out=tuple(SkippedPath(path=file.path, reason=file.reason) for file in scope.skipped),
        new=0,
        reused=0,
        pinned=tuple(_pin(kind) for kind in kinds if kind.name in names),
        **asdict(scope.options),
    )
    last = earlier[-1] if earlier else None
    is_over = last and (is_cancelled(state, last) or is_closed(state, last))
    if last and not is_over and _content(last) == _content(plan):
        return last
    return plan.model_copy(update={"files": _with_definitions(files, scope.definitions)})


def pinned_kinds(plan: Plan, configured: Sequence[Kind]) -> tuple[Kind, ...]:
    """The kinds of a recorded plan, with the tags of that time, so that its tasks keep their ids.

    A built-in kind asks with the prompt of this version, a kind of the user's own with the prompt
    that was recorded.
    """
    current = {kind.name: kind for kind in configured}
    pinned = {kind.name: kind for kind in plan.pinned}
    kinds: list[Kind] = []
    for name in sorted(plan.kinds):
        kind, pin = current.get(name), pinned.get(name)
        if pin and (pin.prompt or kind):
            prompt = pin.prompt or (kind.instructions if kind else "")
            kinds.append(Kind(name, pin.tag, prompt))
        elif kind:
            kinds.append(kind)
    return tuple(kinds)


def _pin(kind: Kind) -> PinnedKind:
    prompt = None if kind.name in BUILT_IN_KINDS else kind.instructions
    return PinnedKind(name=kind.name, tag=kind.tag, prompt=prompt)


def _content(plan: Plan) -> object:
    # The definitions follow from the blobs, which are not read for a plan that is recorded.
    return (
        *(plan.base, plan.head, _with_definitions(plan.files, {}), plan.left_out, plan.base_ref),
        *(plan.priority, plan.not_before, plan.deadline, plan.tags),
    )


def _with_definitions(
    files: Sequence[PlannedFile], definitions: Mapping[TaskId, str]
) -> tuple[PlannedFile, ...]:
    return tuple(
        replace(
            file,
            tasks=tuple(
                replace(task, definition=definitions.get(task.id, "")) for task in file.tasks
            ),
        )
        for file in files
    )


def _plan_file(path: str, tasks: Sequence[Task]) -> PlannedFile:
    match tasks[0].origin:
        case DiffOrigin(old_path, old_blob, new_blob):
            pass
        case FileOrigin(blob):
            old_path, old_blob, new_blob = path, blob, blob
        case _:
            old_path, old_blob, new_blob = path, "", ""
    planned = (
        PlannedTask(
            task.id,
            task.kind,
            task.hunk.old_start,
            task.hunk.new_start,
            size=len(task.hunk.body),
        )
        for task in tasks
    )
    return PlannedFile(path, old_path, old_blob, new_blob, tuple(planned))
