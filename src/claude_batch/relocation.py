"""Where a finding's lines stand in a file as it is now, by the hashes that the ledger keeps."""

from collections.abc import Sequence
from dataclasses import dataclass

from claude_batch.anchor import HASH_LENGTH, Strip, line_hash
from claude_batch.carry import texts
from claude_batch.diff import Side
from claude_batch.event import AskedTask
from claude_batch.finding import Finding
from claude_batch.suggestion import Rejected, Suggestion, prove


@dataclass(frozen=True, slots=True)
class Here:
    """Lines `first..last` (1-based, inclusive) of a file, and what comes of the replacement."""

    first: int
    last: int
    proof: Suggestion | Rejected


def relocate(finding: Finding, task: AskedTask, blob: bytes) -> Here | None:
    """None unless the finding's lines stand in the file, whole and at one place."""
    rows = texts(blob)
    lines = lines_now(finding, task, rows)
    if lines is None:
        return None
    if finding.replacement is None:
        return Here(*lines, Rejected("nothing is suggested"))
    first, last = lines
    proof = prove(blob, first, last, rows[first - 1 : last], finding.replacement, finding.path)
    return Here(first, last, proof)


def lines_now(finding: Finding, task: AskedTask, rows: Sequence[bytes]) -> tuple[int, int] | None:
    """First and last line, 1-based; None unless the whole hunk stands at exactly one place.

    `rows` are the file's lines without their newlines. Removed lines stand nowhere.
    """
    strip = Strip(task.signs, task.hashes)
    start = _found_at(strip, rows)
    if start is None or finding.side is Side.LEFT:
        return None
    return (
        start + _new_lines_before(strip, finding.first) + 1,
        start + _new_lines_before(strip, finding.last + 1),
    )


def _found_at(strip: Strip, rows: Sequence[bytes]) -> int | None:
    if not strip.signs or len(strip.hashes) != len(strip.signs) * HASH_LENGTH:
        return None  # a folded request keeps no hashes
    wanted = [strip.hash_at(at) for at, sign in enumerate(strip.signs) if sign != "-"]
    hashes = [line_hash(row) for row in rows]
    starts = [
        start
        for start in range(len(hashes) - len(wanted) + 1)
        if wanted and hashes[start : start + len(wanted)] == wanted
    ]
    return starts[0] if len(starts) == 1 else None


def _new_lines_before(strip: Strip, position: int) -> int:
    return sum(sign != "-" for sign in strip.signs[:position])
