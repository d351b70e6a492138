"""Track lines from one version of a file to another.

A diff may pair a line with its twin: closing brackets and blank lines are alike everywhere. What
is carried has to be the same line, not one that reads the same, so an edit counts wherever it
could as well have been, and a line between edits needs something beside it that says who it is.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

# `git blame -M` takes as many letters and digits for proof that lines were moved.
EVIDENCE = 20
CONTEXT = 3


class Edit(NamedTuple):
    """Rows `old..old+removed` (0-based, half open) became rows `new..new+added`."""

    old: int
    removed: int
    new: int
    added: int


@dataclass(frozen=True, slots=True)
class TrackedLines:
    """Rows `first..last` (1-based, inclusive) of the new text."""

    first: int
    last: int
    moved: bool = False  # found elsewhere, not where the edits around them would leave them
    undisturbed: bool = False  # the lines around them are as they were


def track_lines(
    old: Sequence[bytes], new: Sequence[bytes], edits: Sequence[Edit], first: int, last: int
) -> TrackedLines | None:
    """`old` and `new` are `texts`, `edits` what lies between them, in order. None: gone.

    The lines that are returned are byte-equal to old lines `first..last` (1-based, inclusive).
    """
    if not 1 <= first <= last <= len(old):
        return None
    here = _shift_past_edits(old, new, edits, first - 1, last)
    if here is None:
        return _find_moved(old, new, first - 1, last)
    if list(new[here : here + last - first + 1]) != list(old[first - 1 : last]):
        return None
    there = here + last - first + 1
    return TrackedLines(
        here + 1,
        there,
        undisturbed=_around(old, first - 1, last) == _around(new, here, there),
    )


def _shift_past_edits(
    old: Sequence[bytes], new: Sequence[bytes], edits: Sequence[Edit], start: int, stop: int
) -> int | None:
    """The new row of `start`; None: an edit touched the range, or may have."""
    shift, above, below = 0, 0, len(old)  # the unchanged run around the range
    for edit in edits:
        upper, lower = _extent(old, new, edit)
        if lower <= start:
            shift += edit.added - edit.removed
            above = edit.old + edit.removed
        elif upper >= stop:
            below = edit.old
            break
        else:
            return None
    whole = len(edits) == 0 or _has_unique_line(old, new, range(above, below))
    return start + shift if whole else None


def _extent(old: Sequence[bytes], new: Sequence[bytes], edit: Edit) -> tuple[int, int]:
    """The old rows within which the edit may have been: a repeated line lets it slide."""
    if edit.added and edit.removed:
        return edit.old, edit.old + edit.removed
    rows, at, size = (new, edit.new, edit.added) if edit.added else (old, edit.old, edit.removed)
    up = takewhile(lambda by: rows[at - by] == rows[at + size - by], range(1, at + 1))
    down = takewhile(lambda by: rows[at + by] == rows[at + size + by], range(len(rows) - at - size))
    return edit.old - sum(1 for _ in up), edit.old + edit.removed + sum(1 for _ in down)


def _has_unique_line(old: Sequence[bytes], new: Sequence[bytes], run: range) -> bool:
    """Does a line between the two edits stand once in each text, and say something?"""
    here = {row for row in old[run.start : run.stop] if _letters([row])}
    before = Counter(row for row in old if row in here)
    after = Counter(row for row in new if row in here)
    return any(before[row] == after[row] == 1 for row in here)


def _find_moved(
    old: Sequence[bytes], new: Sequence[bytes], start: int, stop: int
) -> TrackedLines | None:
    """Verbatim, at exactly one place, of lines that had no twin before either."""
    wanted = list(old[start:stop])
    if _letters(wanted) < EVIDENCE or _hits(old, wanted) != 1 or _hits(new, wanted) != 1:
        return None
    (at,) = _places(new, wanted)
    return TrackedLines(at + 1, at + len(wanted), moved=True)


def _places(rows: Sequence[bytes], wanted: Sequence[bytes]) -> list[int]:
    size = len(wanted)
    return [
        at
        for at in range(len(rows) - size + 1)
        if rows[at] == wanted[0] and list(rows[at : at + size]) == list(wanted)
    ]


def _hits(rows: Sequence[bytes], wanted: Sequence[bytes]) -> int:
    return len(_places(rows, wanted))


def _letters(rows: Sequence[bytes]) -> int:
    """Letters and digits, and bytes beyond ASCII; no more than are asked for anywhere."""
    count = 0
    for row in rows:
        count += sum(byte >= 0x80 or chr(byte).isalnum() for byte in row)
        if count >= EVIDENCE:
            break
    return count


def _around(rows: Sequence[bytes], start: int, stop: int) -> tuple[list[bytes], list[bytes]]:
    return list(rows[max(0, start - CONTEXT) : start]), list(rows[stop : stop + CONTEXT])
