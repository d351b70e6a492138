"""Where a finding stands now.

A finding is bound to its task and to positions in the task's hunk. When the diff of the current
head holds the same task, its hunk says the lines; when it does not, the lines are carried from
the commit that the finding was made on, and what cannot be carried has changed meanwhile.
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
    suggestion: str | None = None  # proved; each line ends with LF; "" deletes the lines
    method: PlacementMethod = "task"


@dataclass(frozen=True, slots=True)
class DroppedFinding:
    """A finding that is not posted at a line, and why."""

    finding: Finding
    reason: DropReason


def place_findings(
    findings: Iterable[Finding],
    tasks: Sequence[Task],
    read_head: Callable[[str], bytes | None],
    past: PreviousPlans | None = None,
) -> tuple[list[PlacedFinding], list[DroppedFinding]]:
    """`tasks` are those of the current diff; `read_head(path)` gives the head's bytes of a file.

    Without `past` only findings whose tasks are still in the diff have a place.
    """
    current: dict[str, list[Task]] = {}
    for task in tasks:
        current.setdefault(task.id, []).append(task)
    placed, dropped = [], []
    for finding, reason in _sifted(findings):
        if reason:
            dropped.append(DroppedFinding(finding, reason))
            continue
        found = _place(finding, current.get(finding.task or "", []), read_head, past)
        if isinstance(found, PlacedFinding):
            placed.append(found)
        else:
            dropped.append(found)
    return placed, dropped


def _sifted(findings: Iterable[Finding]) -> Iterator[tuple[Finding, DropReason | None]]:
    """Those without a place are shown for their words alone: not twice, and not if faint."""
    said: set[tuple[str, str, str]] = set()
    for finding in findings:
        words = (finding.path, finding.title, finding.body)
        if finding.is_malformed:
            yield finding, "malformed"
        elif finding.task is not None:
            yield finding, None
        elif finding.is_negligible:
            yield finding, "low_confidence"
        else:
            yield finding, "duplicate" if words in said else "unplaced"
            said.add(words)


def _place(
    finding: Finding,
    twins: Sequence[Task],
    read_head: Callable[[str], bytes | None],
    past: PreviousPlans | None,
) -> PlacedFinding | DroppedFinding:
    if twins:
        return _in_diff(finding, _same(twins, past), read_head)
    return _carried(finding, past, read_head) if past else DroppedFinding(finding, "changed_meanwhile")


def _same(twins: Sequence[Task], past: PreviousPlans | None) -> Task:
    """Of equal hunks the one that was asked about: the first, or what is left of it."""
    origin = past.locations.get(twins[0].id) if past else None
    if origin is None or len(origin.twins) == len(twins):
        return twins[0]
    start = origin.twins[0].new_start
    return min(twins, key=lambda task: abs(task.hunk.new_start - start))


def _in_diff(
    finding: Finding, task: Task, read_head: Callable[[str], bytes | None]
) -> PlacedFinding | DroppedFinding:
    lines = _lines(finding, task)
    if not lines:
        return DroppedFinding(finding, "malformed")
    first, last = _number(lines[0], finding.side), _number(lines[-1], finding.side)
    seen = [line.text for line in lines]
    suggestion = _suggestion(finding, task.path, (first, last), seen, read_head)
    return PlacedFinding(finding, task.path, finding.side, first, last, suggestion)


def _carried(
    finding: Finding, past: PreviousPlans, read_head: Callable[[str], bytes | None]
) -> PlacedFinding | DroppedFinding:
    now = locate(finding, past, read_head)
    if now is None:
        return DroppedFinding(finding, "changed_meanwhile")
    if Commentable(past.diff).fault(now.path, finding.side, now.first, now.last):
        return DroppedFinding(finding, "outside_diff")
    suggestion = (
        _suggestion(finding, now.path, (now.first, now.last), now.replaceable, read_head)
        if now.replaceable is not None
        else None
    )
    return PlacedFinding(finding, now.path, finding.side, now.first, now.last, suggestion, now.method)


def _lines(finding: Finding, task: Task) -> tuple[Line, ...]:
    """The lines of the finding's side; none if its positions are not in the hunk."""
    if not 0 <= finding.first <= finding.last < len(task.hunk.lines):
        return ()
    return lines_on_side(task.hunk, finding.first, finding.last, finding.side)


def _number(line: Line, side: Side) -> int:
    number = line.new if side is Side.RIGHT else line.old
    if number is None:
        raise ValueError(f"a line of the other side than {side}")
    return number


def _suggestion(
    finding: Finding,
    path: str,
    span: tuple[int, int],
    seen: Sequence[bytes],
    read_head: Callable[[str], bytes | None],
) -> str | None:
    if finding.replacement is None or finding.side is Side.LEFT:
        return None
    blob = read_head(path)
    if blob is None:
        return None
    proof = validate_suggestion(blob, *span, seen, finding.replacement, path)
    return proof.text if isinstance(proof, Suggestion) else None
