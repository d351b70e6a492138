"""Track lines from one version of a file to another.

A diff may pair a line with an equal line elsewhere, such as a closing bracket. A tracked line has
to be the same line and not an equal one. So an edit counts wherever it could as well have been,
and a run of lines between edits must hold a unique line.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

# `git blame -M` needs as many letters and digits to treat lines as moved.
EVIDENCE = 20
CONTEXT = 3


class Edit(NamedTuple):
    """Lines `old..old+removed` (0-based, half open) became lines `new..new+added`."""

    old: int
    removed: int
    new: int
    added: int


@dataclass(frozen=True, slots=True)
class TrackedLines:
    """Lines `first..last` (1-based, inclusive) of the new text."""

    first: int
    last: int
    moved: bool = False  # found elsewhere, not where the edits around them would leave them
    undisturbed: bool = False  # the lines around them are as they were


def track_lines(
    old: Sequence[bytes], new: Sequence[bytes], edits: Sequence[Edit], first: int, last: int
) -> TrackedLines | None:
    """Track lines `first..last` (1-based, inclusive) of `old` through `edits` into `new`.

    Lines have no newlines. The lines returned are byte-equal to the old ones; None: they are gone.
    """
    if not 1 <= first <= last <= len(old):
        return None
    start = _shift_past_edits(old, new, edits, first - 1, last)
    if start is None:
        return _find_moved(old, new, first - 1, last)
    if list(new[start : start + last - first + 1]) != list(old[first - 1 : last]):
        return None
    stop = start + last - first + 1
    return TrackedLines(
        start + 1,
        stop,
        undisturbed=_context(old, first - 1, last) == _context(new, start, stop),
    )


def _shift_past_edits(
    old: Sequence[bytes], new: Sequence[bytes], edits: Sequence[Edit], start: int, stop: int
) -> int | None:
    """Return the new index of `start`; None if an edit touched the range, or may have."""
    shift, above, below = 0, 0, len(old)  # the unchanged run around the range
    for edit in edits:
        upper, lower = _possible_extent(old, new, edit)
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


def _possible_extent(old: Sequence[bytes], new: Sequence[bytes], edit: Edit) -> tuple[int, int]:
    """The old lines within which the edit may have been: a repeated line lets it slide."""
    if edit.added and edit.removed:
        return edit.old, edit.old + edit.removed
    lines, start, size = (
        (new, edit.new, edit.added) if edit.added else (old, edit.old, edit.removed)
    )
    up = takewhile(
        lambda distance: lines[start - distance] == lines[start + size - distance],
        range(1, start + 1),
    )
    down = takewhile(
        lambda distance: lines[start + distance] == lines[start + size + distance],
        range(len(lines) - start - size),
    )
    return edit.old - sum(1 for _ in up), edit.old + edit.removed + sum(1 for _ in down)


def _has_unique_line(old: Sequence[bytes], new: Sequence[bytes], run: range) -> bool:
    """Return True if a line of the run has a letter or digit and occurs once in each text."""
    candidates = {line for line in old[run.start : run.stop] if _count_letters([line])}
    before = Counter(line for line in old if line in candidates)
    after = Counter(line for line in new if line in candidates)
    return any(before[line] == after[line] == 1 for line in candidates)


def _find_moved(
    old: Sequence[bytes], new: Sequence[bytes], start: int, stop: int
) -> TrackedLines | None:
    """Find lines that are long enough and occur exactly once in both texts."""
    sought = list(old[start:stop])
    if _count_letters(sought) < EVIDENCE or len(_find_all(old, sought)) != 1:
        return None
    indices = _find_all(new, sought)
    if len(indices) != 1:
        return None
    return TrackedLines(indices[0] + 1, indices[0] + len(sought), moved=True)


def _find_all(lines: Sequence[bytes], sought: Sequence[bytes]) -> list[int]:
    size = len(sought)
    return [
        index
        for index in range(len(lines) - size + 1)
        if lines[index] == sought[0] and list(lines[index : index + size]) == list(sought)
    ]


def _count_letters(lines: Sequence[bytes]) -> int:
    """Count letters, digits and bytes beyond ASCII. Counting stops at EVIDENCE."""
    count = 0
    for line in lines:
        count += sum(byte >= 0x80 or chr(byte).isalnum() for byte in line)
        if count >= EVIDENCE:
            break
    return count


def _context(lines: Sequence[bytes], start: int, stop: int) -> tuple[list[bytes], list[bytes]]:
    return list(lines[max(0, start - CONTEXT) : start]), list(lines[stop : stop + CONTEXT])
