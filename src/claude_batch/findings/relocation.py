"""Where a plan saw a task, and where the lines of a finding about it are in today's head.

Used when the task itself is no longer in the diff: its hunk has changed, or is shown otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from claude_batch.diff.line_tracking import track_lines
from claude_batch.diff.lines import texts
from claude_batch.diff.model import Diff, FileChange, Side
from claude_batch.findings.anchors import AnchoredTask, hash_line
from claude_batch.findings.finding import Finding
from claude_batch.findings.suggestions import RejectedSuggestion, Suggestion, validate_suggestion
from claude_batch.git.earlier_commits import Readers
from claude_batch.tasks.plan import PlannedDiff, PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId

# task: it is still in the diff. blob: the same file. walk: past edits. moved: elsewhere, verbatim.
# hashes: the old file is gone, and the whole hunk stands at one place.
PlacementMethod = Literal["task", "blob", "walk", "moved", "hashes"]


@dataclass(frozen=True, slots=True)
class PlannedLocation:
    base: str | None
    head: str | None
    file: PlannedFile
    twins: tuple[PlannedTask, ...]  # equal hunks have one id; the first was asked about


@dataclass(frozen=True)
class PreviousPlans:
    """`plans`: those of this pull request, oldest first. `asked`: tasks with their strips."""

    plans: Sequence[PlannedDiff]
    anchored_tasks: Mapping[TaskId, AnchoredTask]
    diff: Diff
    readers: Readers
    changes: dict[str, FileChange] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "changes", {change.path: change for change in self.diff.files})

    @cached_property
    def locations(self) -> dict[TaskId, PlannedLocation]:
        """The latest plan is the nearest to today's head."""
        found: dict[TaskId, PlannedLocation] = {}
        for plan in self.plans:
            for file in plan.files:
                twins: dict[TaskId, list[PlannedTask]] = {}
                for task in file.tasks:
                    twins.setdefault(task.id, []).append(task)
                for task_id, same in twins.items():
                    found[task_id] = PlannedLocation(plan.base, plan.head, file, tuple(same))
        return found


@dataclass(frozen=True, slots=True)
class CurrentLocation:
    """Lines `first..last` (1-based, inclusive) of `path`. `seen`: what a suggestion may replace."""

    path: str
    first: int
    last: int
    method: PlacementMethod
    replaceable: tuple[bytes, ...] | None = None


def locate(
    finding: Finding, past: PreviousPlans, read_head: Callable[[str], bytes | None]
) -> CurrentLocation | None:
    """None: the lines are gone, or nobody can tell any more which ones they were."""
    origin = past.locations.get(finding.task) if finding.task else None
    asked = past.anchored_tasks.get(finding.task) if finding.task else None
    if origin is None or asked is None:
        return None
    path = _path_now(origin, past, read_head)
    if path is None:
        return None
    if finding.side is Side.LEFT:
        return _removed(finding, asked, origin, past, past.changes.get(path))
    head = read_head(path)
    return _locate_added(finding, asked, origin, past, (path, head)) if head is not None else None


def _path_now(
    origin: PlannedLocation, past: PreviousPlans, read_head: Callable[[str], bytes | None]
) -> str | None:
    file = origin.file
    if file.path in past.changes or read_head(file.path) is not None:
        return file.path
    for change in past.diff.files:
        from_same = change.old_path == file.old_path and change.path != change.old_path
        if from_same or change.new_blob == file.new_blob:
            return change.path
    return past.readers.renamed(origin.head, file.path) if origin.head else None


def _locate_added(
    finding: Finding,
    asked: AnchoredTask,
    origin: PlannedLocation,
    past: PreviousPlans,
    now: tuple[str, bytes],
) -> CurrentLocation | None:
    path, head = now
    blob = past.readers.blob(origin.file.new_blob, origin.head)
    if blob is None:
        found = find_lines(finding, asked, texts(head))
        return CurrentLocation(path, *found, "hashes") if found else None
    old, new = texts(blob), texts(head)
    first, last = _span(asked.signs, origin.twins[0].new_start, finding)
    seen = tuple(old[first - 1 : last])
    if not seen or [hash_line(row) for row in seen] != _hashes(asked, finding):
        return None
    if blob == head:
        return CurrentLocation(path, first, last, "blob", seen)
    carried = track_lines(old, new, past.readers.edits(blob, head), first, last)
    if carried is None:
        return None
    how: PlacementMethod = "moved" if carried.moved else "walk"
    return CurrentLocation(
        path, carried.first, carried.last, how, seen if carried.undisturbed else None
    )


def _removed(
    finding: Finding,
    asked: AnchoredTask,
    origin: PlannedLocation,
    past: PreviousPlans,
    change: FileChange | None,
) -> CurrentLocation | None:
    """A removed line is there as long as the old side of the diff shows it as removed."""
    if change is None:
        return None
    found = _old_lines(asked, origin, past, change, finding)
    if found is None:
        return None
    first, last, how = found
    shown = {line.old: line for hunk in change.hunks for line in hunk.lines if line.old}
    lines = [shown.get(number) for number in range(first, last + 1)]
    signs = [sign for sign in asked.signs[finding.first : finding.last + 1] if sign != "+"]
    hashes = [hash_line(line.text) for line in lines if line]
    if hashes != _hashes(asked, finding) or [line.sign for line in lines if line] != signs:
        return None
    return CurrentLocation(change.path, first, last, how)


def _old_lines(
    asked: AnchoredTask,
    origin: PlannedLocation,
    past: PreviousPlans,
    change: FileChange,
    finding: Finding,
) -> tuple[int, int, PlacementMethod] | None:
    first, last = _span(asked.signs, origin.twins[0].old_start, finding)
    if change.old_blob == origin.file.old_blob:
        return first, last, "blob"
    was = past.readers.blob(origin.file.old_blob, origin.base)
    base = past.readers.blob(change.old_blob, past.diff.comparison.base)
    if was is None or base is None:
        return None
    carried = track_lines(texts(was), texts(base), past.readers.edits(was, base), first, last)
    return (carried.first, carried.last, "walk") if carried and not carried.moved else None


def _span(signs: str, start: int, finding: Finding) -> tuple[int, int]:
    """The lines of the finding's side, where the hunk starts at line `start` of that side."""
    other = finding.side.hidden_sign
    before = sum(sign != other for sign in signs[: finding.first])
    inside = sum(sign != other for sign in signs[finding.first : finding.last + 1])
    return start + before, start + before + inside - 1


def _hashes(asked: AnchoredTask, finding: Finding) -> list[str]:
    last = min(finding.last, len(asked.signs) - 1)
    positions = range(max(finding.first, 0), last + 1)
    hidden = finding.side.hidden_sign
    return [asked.hash_at(at) for at in positions if asked.signs[at] != hidden]


@dataclass(frozen=True, slots=True)
class RelocatedLines:
    """Lines `first..last` (1-based, inclusive) of a file, and what comes of the replacement."""

    first: int
    last: int
    suggestion: Suggestion | RejectedSuggestion


def relocate(finding: Finding, task: AnchoredTask, blob: bytes) -> RelocatedLines | None:
    """None unless the finding's lines stand in the file, whole and at one place."""
    rows = texts(blob)
    lines = find_lines(finding, task, rows)
    if lines is None:
        return None
    if finding.replacement is None:
        return RelocatedLines(*lines, RejectedSuggestion("nothing is suggested"))
    first, last = lines
    proof = validate_suggestion(
        blob, first, last, rows[first - 1 : last], finding.replacement, finding.path
    )
    return RelocatedLines(first, last, proof)


def find_lines(
    finding: Finding, task: AnchoredTask, rows: Sequence[bytes]
) -> tuple[int, int] | None:
    """First and last line, 1-based; None unless the whole hunk stands at exactly one place.

    `rows` are the file's lines without their newlines. Removed lines stand nowhere.
    """
    start = _found_at(task, rows)
    if start is None or finding.side is Side.LEFT:
        return None
    return (
        start + _new_lines_before(task, finding.first) + 1,
        start + _new_lines_before(task, finding.last + 1),
    )


def _found_at(task: AnchoredTask, rows: Sequence[bytes]) -> int | None:
    if not task.has_hashes:
        return None
    wanted = [task.hash_at(at) for at, sign in enumerate(task.signs) if sign != "-"]
    hashes = [hash_line(row) for row in rows]
    starts = [
        start
        for start in range(len(hashes) - len(wanted) + 1)
        if wanted and hashes[start : start + len(wanted)] == wanted
    ]
    return starts[0] if len(starts) == 1 else None


def _new_lines_before(task: AnchoredTask, position: int) -> int:
    return sum(sign != "-" for sign in task.signs[:position])
