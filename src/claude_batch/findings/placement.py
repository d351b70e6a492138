"""Place findings at lines of the current head.

A finding is bound to its task and to positions in the task's hunk. If the current diff still has
the task, its hunk gives the lines. Otherwise they are tracked from the reviewed commit; a finding
whose lines cannot be tracked is dropped as changed meanwhile.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from claude_batch.diff.commentable import Commentable
from claude_batch.diff.model import Line, Side
from claude_batch.findings.anchors import lines_on_side
from claude_batch.findings.finding import Finding
from claude_batch.findings.relocation import PlacementMethod, PreviousPlans, locate
from claude_batch.findings.suggestions import Suggestion, validate_suggestion
from claude_batch.tasks.task import Task

DropReason = Literal[
    "unplaced",
    "changed_meanwhile",
    "outside_diff",
    "over_limit",
    "refuted",
    "silenced",
    "duplicate",
    "low_confidence",
    "malformed",
    "closed",
]

DROP_REASONS: tuple[DropReason, ...] = get_args(DropReason)


@dataclass(frozen=True, slots=True)
class PlacedFinding:
    """A finding at lines `first_line..line` (1-based, inclusive) of `path` on `side`."""

    finding: Finding
    path: str
    side: Side
    first_line: int
    line: int
    suggestion: str | None = None  # validated; each line ends with LF; "" deletes the lines
    method: PlacementMethod = "task"

    @property
    def line_range(self) -> str:
        """Such as `12` or `12-14`."""
        is_single = self.first_line == self.line
        return str(self.line) if is_single else f"{self.first_line}-{self.line}"


@dataclass(frozen=True, slots=True)
class DroppedFinding:
    """A finding that is not posted at a line, with the reason."""

    finding: Finding
    reason: DropReason


def place_findings(
    findings: Iterable[Finding],
    tasks: Sequence[Task],
    read_head: Callable[[str], bytes | None],
    previous: PreviousPlans | None = None,
) -> tuple[list[PlacedFinding], list[DroppedFinding]]:
    """Place findings in the current diff, or in the head with the help of previous plans.

    `tasks` are those of the current diff; `read_head(path)` returns the head's bytes of a file.
    """
    current: dict[str, list[Task]] = {}
    for task in tasks:
        current.setdefault(task.id, []).append(task)
    placed, dropped = [], []
    for finding, reason in _classify(findings):
        if reason:
            dropped.append(DroppedFinding(finding, reason))
            continue
        equal_tasks = current.get(finding.task or "", [])
        result = _place_finding(finding, equal_tasks, read_head, previous)
        if isinstance(result, PlacedFinding):
            placed.append(result)
        else:
            dropped.append(result)
    return placed, dropped


def _classify(findings: Iterable[Finding]) -> Iterator[tuple[Finding, DropReason | None]]:
    """Pair each finding with the reason to drop it, or with None."""
    # Only the text of an unplaced finding is shown: once, and not if it is negligible.
    texts: set[tuple[str, str, str]] = set()
    for finding in findings:
        text = (finding.path, finding.title, finding.body)
        if finding.is_malformed:
            yield finding, "malformed"
        elif finding.task is not None:
            yield finding, None
        elif finding.is_negligible:
            yield finding, "low_confidence"
        else:
            yield finding, "duplicate" if text in texts else "unplaced"
            texts.add(text)


def _place_finding(
    finding: Finding,
    equal_tasks: Sequence[Task],
    read_head: Callable[[str], bytes | None],
    previous: PreviousPlans | None,
) -> PlacedFinding | DroppedFinding:
    if equal_tasks:
        return _place_in_diff(finding, _choose_task(equal_tasks, previous), read_head)
    if previous is None:
        return DroppedFinding(finding, "changed_meanwhile")
    return _place_by_tracking(finding, previous, read_head)


def _choose_task(equal_tasks: Sequence[Task], previous: PreviousPlans | None) -> Task:
    """Choose the hunk that was reviewed among equal ones."""
    # That was the first. If some of them are gone since, the nearest to it is taken.
    planned = previous.locations.get(equal_tasks[0].id) if previous else None
    if planned is None or len(planned.equal_tasks) == len(equal_tasks):
        return equal_tasks[0]
    start = planned.equal_tasks[0].new_start
    return min(equal_tasks, key=lambda task: abs(task.hunk.new_start - start))


def _place_in_diff(
    finding: Finding, task: Task, read_head: Callable[[str], bytes | None]
) -> PlacedFinding | DroppedFinding:
    if not 0 <= finding.first <= finding.last < len(task.hunk.lines):
        return DroppedFinding(finding, "malformed")
    lines = lines_on_side(task.hunk, finding.first, finding.last, finding.side)
    if not lines:
        return DroppedFinding(finding, "malformed")
    first, last = (_line_number(line, finding.side) for line in (lines[0], lines[-1]))
    texts = [line.text for line in lines]
    suggestion = _validate_replacement(finding, task.path, (first, last), texts, read_head)
    return PlacedFinding(finding, task.path, finding.side, first, last, suggestion)


def _place_by_tracking(
    finding: Finding, previous: PreviousPlans, read_head: Callable[[str], bytes | None]
) -> PlacedFinding | DroppedFinding:
    location = locate(finding, previous, read_head)
    if location is None:
        return DroppedFinding(finding, "changed_meanwhile")
    path, first, last = location.path, location.first, location.last
    if Commentable(previous.diff).find_problem(path, finding.side, first, last):
        return DroppedFinding(finding, "outside_diff")
    suggestion = (
        _validate_replacement(finding, path, (first, last), location.replaceable, read_head)
        if location.replaceable is not None
        else None
    )
    return PlacedFinding(finding, path, finding.side, first, last, suggestion, location.method)


def _line_number(line: Line, side: Side) -> int:
    number = line.new if side is Side.RIGHT else line.old
    if number is None:
        raise ValueError(f"a line of the other side than {side}")
    return number


def _validate_replacement(
    finding: Finding,
    path: str,
    span: tuple[int, int],
    expected: Sequence[bytes],
    read_head: Callable[[str], bytes | None],
) -> str | None:
    """Return the suggestion's text for the lines `span`, which must still be `expected`."""
    if finding.replacement is None or finding.side is Side.LEFT:
        return None
    blob = read_head(path)
    if blob is None:
        return None
    suggestion = validate_suggestion(blob, *span, expected, finding.replacement, path)
    return suggestion.text if isinstance(suggestion, Suggestion) else None
