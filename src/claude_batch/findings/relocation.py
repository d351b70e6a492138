"""Locate the lines of a finding in the current head when its task is no longer in the diff.

The task's hunk has changed, or git cuts its hunks elsewhere. The lines are tracked from the place
where a previous plan recorded the task.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from claude_batch.diff.line_tracking import track_lines
from claude_batch.diff.lines import split_lines
from claude_batch.diff.model import Diff, FileChange, Side
from claude_batch.findings.anchors import AnchoredTask, hash_line
from claude_batch.findings.finding import Finding
from claude_batch.findings.suggestions import RejectedSuggestion, Suggestion, validate_suggestion
from claude_batch.git.earlier_commits import HistoryReaders
from claude_batch.tasks.plan import PlannedDiff, PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId

# task: it is still in the diff. blob: the file is unchanged. walk: tracked past edits. moved: found
# elsewhere, verbatim. hashes: the old file is gone, and the whole hunk occurs at one place.
PlacementMethod = Literal["task", "blob", "walk", "moved", "hashes"]


@dataclass(frozen=True, slots=True)
class PlannedLocation:
    """The place of a task in a previous plan."""

    base: str | None
    head: str | None
    file: PlannedFile
    equal_tasks: tuple[PlannedTask, ...]  # equal hunks have one id; the first was reviewed


@dataclass(frozen=True)
class PreviousPlans:
    """The plans of this pull request, oldest first, and their anchored tasks by id."""

    plans: Sequence[PlannedDiff]
    anchored_tasks: Mapping[TaskId, AnchoredTask]
    diff: Diff
    readers: HistoryReaders
    changes: dict[str, FileChange] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "changes", {change.path: change for change in self.diff.files})

    @cached_property
    def locations(self) -> dict[TaskId, PlannedLocation]:
        """The location of each task in the latest plan with it, the nearest to the head."""
        locations: dict[TaskId, PlannedLocation] = {}
        for plan in self.plans:
            for file in plan.files:
                by_id: dict[TaskId, list[PlannedTask]] = {}
                for task in file.tasks:
                    by_id.setdefault(task.id, []).append(task)
                for task_id, equal in by_id.items():
                    locations[task_id] = PlannedLocation(plan.base, plan.head, file, tuple(equal))
        return locations


@dataclass(frozen=True, slots=True)
class CurrentLocation:
    """Lines `first..last` (1-based, inclusive) of `path`.

    `replaceable` are their reviewed texts, or None if a suggestion may not replace them.
    """

    path: str
    first: int
    last: int
    method: PlacementMethod
    replaceable: tuple[bytes, ...] | None = None


def locate(
    finding: Finding, previous: PreviousPlans, read_head: Callable[[str], bytes | None]
) -> CurrentLocation | None:
    """Return None if the lines are gone or cannot be identified."""
    planned = previous.locations.get(finding.task) if finding.task else None
    task = previous.anchored_tasks.get(finding.task) if finding.task else None
    if planned is None or task is None:
        return None
    path = _find_current_path(planned, previous, read_head)
    if path is None:
        return None
    locator = _Locator(finding, task, planned, previous)
    if finding.side is Side.LEFT:
        change = previous.changes.get(path)
        return locator.locate_removed(change) if change else None
    head = read_head(path)
    return locator.locate_added(path, head) if head is not None else None


def _find_current_path(
    planned: PlannedLocation, previous: PreviousPlans, read_head: Callable[[str], bytes | None]
) -> str | None:
    file = planned.file
    if file.path in previous.changes or read_head(file.path) is not None:
        return file.path
    for change in previous.diff.files:
        is_renamed = change.old_path == file.old_path and change.path != change.old_path
        if is_renamed or change.new_blob == file.new_blob:
            return change.path
    return previous.readers.renamed_path(planned.head, file.path) if planned.head else None


@dataclass(frozen=True, slots=True)
class _Locator:
    """Locates one finding from the place of its task in a previous plan."""

    finding: Finding
    task: AnchoredTask
    planned: PlannedLocation
    previous: PreviousPlans

    def locate_added(self, path: str, head: bytes) -> CurrentLocation | None:
        readers = self.previous.readers
        blob = readers.blob(self.planned.file.new_blob, self.planned.head)
        if blob is None:
            span = find_lines(self.finding, self.task, split_lines(head))
            return CurrentLocation(path, *span, "hashes") if span else None
        old, new = split_lines(blob), split_lines(head)
        first, last = self._span(self.planned.equal_tasks[0].new_start)
        reviewed = tuple(old[first - 1 : last])
        if not reviewed or [hash_line(line) for line in reviewed] != self._hashes():
            return None
        if blob == head:
            return CurrentLocation(path, first, last, "blob", reviewed)
        tracked = track_lines(old, new, readers.compute_edits(blob, head), first, last)
        if tracked is None:
            return None
        return CurrentLocation(
            path,
            tracked.first,
            tracked.last,
            "moved" if tracked.moved else "walk",
            reviewed if tracked.undisturbed else None,
        )

    def locate_removed(self, change: FileChange) -> CurrentLocation | None:
        """Find lines of the old file, which the diff must still show with the same signs."""
        old_lines = self._find_old_lines(change)
        if old_lines is None:
            return None
        first, last, method = old_lines
        shown = {line.old: line for hunk in change.hunks for line in hunk.lines if line.old}
        lines = [shown[number] for number in range(first, last + 1) if number in shown]
        reviewed = self.task.signs[self.finding.first : self.finding.last + 1]
        signs = [sign for sign in reviewed if sign != self.finding.side.hidden_sign]
        if [hash_line(line.text) for line in lines] != self._hashes():
            return None
        if [line.sign for line in lines] != signs:
            return None
        return CurrentLocation(change.path, first, last, method)

    def _find_old_lines(self, change: FileChange) -> tuple[int, int, PlacementMethod] | None:
        first, last = self._span(self.planned.equal_tasks[0].old_start)
        old_blob = self.planned.file.old_blob
        if change.old_blob == old_blob:
            return first, last, "blob"
        readers = self.previous.readers
        old = readers.blob(old_blob, self.planned.base)
        new = readers.blob(change.old_blob, self.previous.diff.comparison.base)
        if old is None or new is None:
            return None
        tracked = track_lines(
            split_lines(old), split_lines(new), readers.compute_edits(old, new), first, last
        )
        return (tracked.first, tracked.last, "walk") if tracked and not tracked.moved else None

    def _span(self, start: int) -> tuple[int, int]:
        """Return the finding's lines on its side, where the hunk starts at line `start`."""
        finding, signs = self.finding, self.task.signs
        hidden = finding.side.hidden_sign
        before = sum(sign != hidden for sign in signs[: finding.first])
        inside = sum(sign != hidden for sign in signs[finding.first : finding.last + 1])
        return start + before, start + before + inside - 1

    def _hashes(self) -> list[str]:
        finding = self.finding
        return self.task.hashes_on_side(finding.first, finding.last, finding.side)


@dataclass(frozen=True, slots=True)
class RelocatedLines:
    """Lines `first..last` (1-based, inclusive) of a file, and the validated suggestion."""

    first: int
    last: int
    suggestion: Suggestion | RejectedSuggestion


def relocate(finding: Finding, task: AnchoredTask, blob: bytes) -> RelocatedLines | None:
    """Return None unless the task's hunk occurs in the file exactly once."""
    lines = split_lines(blob)
    span = find_lines(finding, task, lines)
    if span is None:
        return None
    if finding.replacement is None:
        return RelocatedLines(*span, RejectedSuggestion("nothing is suggested"))
    first, last = span
    suggestion = validate_suggestion(
        blob, first, last, lines[first - 1 : last], finding.replacement, finding.path
    )
    return RelocatedLines(first, last, suggestion)


def find_lines(
    finding: Finding, task: AnchoredTask, lines: Sequence[bytes]
) -> tuple[int, int] | None:
    """Return first and last line, 1-based; None unless the hunk occurs in `lines` exactly once.

    `lines` are the file's, without newlines. Removed lines cannot be found in it.
    """
    start = _find_hunk(task, lines)
    if start is None or finding.side is Side.LEFT:
        return None
    return (
        start + _count_new_lines(task, finding.first) + 1,
        start + _count_new_lines(task, finding.last + 1),
    )


def _find_hunk(task: AnchoredTask, lines: Sequence[bytes]) -> int | None:
    if not task.has_hashes:
        return None
    wanted = task.hashes_on_side(0, len(task.signs) - 1, Side.RIGHT)
    hashes = [hash_line(line) for line in lines]
    starts = [
        start
        for start in range(len(hashes) - len(wanted) + 1)
        if wanted and hashes[start : start + len(wanted)] == wanted
    ]
    return starts[0] if len(starts) == 1 else None


def _count_new_lines(task: AnchoredTask, position: int) -> int:
    return sum(sign != "-" for sign in task.signs[:position])
