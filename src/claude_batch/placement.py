"""Where a finding stands now.

A finding is bound to its task and to positions in the task's hunk. When the diff of the current
head holds the same task, its hunk says the lines; when it does not, the code has changed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from claude_batch.anchor import lines_at
from claude_batch.diff import Line, Side
from claude_batch.finding import Finding
from claude_batch.suggestion import Suggestion, prove
from claude_batch.task import Task

Reason = Literal[
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
REASONS: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding at lines `first_line..line` (1-based, inclusive) of `path` on `side`."""

    finding: Finding
    path: str
    side: Side
    first_line: int
    line: int
    suggestion: str | None = None  # proved; each line ends with LF; "" deletes the lines


@dataclass(frozen=True, slots=True)
class Dropped:
    """A finding that is not posted at a line, and why."""

    finding: Finding
    reason: Reason


def place(
    findings: Iterable[Finding],
    tasks: Sequence[Task],
    read_head: Callable[[str], bytes | None],
) -> tuple[list[Placed], list[Dropped]]:
    """`tasks` are those of the current diff; `read_head(path)` gives the head's bytes of a file."""
    current = {task.id: task for task in reversed(tasks)}  # of equal hunks the first
    placed, dropped = [], []
    for finding in findings:
        found = _place(finding, current.get(finding.task) if finding.task else None, read_head)
        if isinstance(found, Placed):
            placed.append(found)
        else:
            dropped.append(found)
    return placed, dropped


def _place(
    finding: Finding, task: Task | None, read_head: Callable[[str], bytes | None]
) -> Placed | Dropped:
    if finding.task is None:
        return Dropped(finding, "unplaced")
    if task is None:
        return Dropped(finding, "changed_meanwhile")
    lines = _lines(finding, task)
    if not lines or not finding.title.strip():
        return Dropped(finding, "malformed")
    first, last = _number(lines[0], finding.side), _number(lines[-1], finding.side)
    return Placed(
        finding,
        task.path,
        finding.side,
        first,
        last,
        _suggestion(finding, task.path, lines, read_head),
    )


def _lines(finding: Finding, task: Task) -> tuple[Line, ...]:
    """The lines of the finding's side; none if its positions are not in the hunk."""
    if not 0 <= finding.first <= finding.last < len(task.hunk.lines):
        return ()
    return lines_at(task.hunk, finding.first, finding.last, finding.side)


def _number(line: Line, side: Side) -> int:
    number = line.new if side is Side.RIGHT else line.old
    if number is None:
        raise ValueError(f"a line of the other side than {side}")
    return number


def _suggestion(
    finding: Finding,
    path: str,
    lines: Sequence[Line],
    read_head: Callable[[str], bytes | None],
) -> str | None:
    if finding.replacement is None or finding.side is Side.LEFT:
        return None
    blob = read_head(path)
    if blob is None:
        return None
    first, last = _number(lines[0], finding.side), _number(lines[-1], finding.side)
    seen = [line.text for line in lines]
    proof = prove(blob, first, last, seen, finding.replacement, path)
    return proof.text if isinstance(proof, Suggestion) else None
