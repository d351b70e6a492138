"""The code that a finding is about, from the two blobs of its file: no diff is made again."""

from collections.abc import Iterator
from dataclasses import dataclass

from claude_batch.diff.model import Hunk
from claude_batch.findings.anchors import HASH_LENGTH, AnchoredTask, line_hash
from claude_batch.tasks.plan import AskedTask, PlannedTask

AROUND = 20  # lines of the new file on each side


@dataclass(frozen=True, slots=True)
class Code:
    """A task's hunk and the lines of the new file next to it."""

    hunk: Hunk
    above: tuple[bytes, ...] = ()
    below: tuple[bytes, ...] = ()


def code_of(task: AskedTask, planned: PlannedTask, old: bytes, new: bytes) -> Code | None:
    """None where the blobs do not hold the lines that were asked about, by their hashes.

    `old` and `new` are the files' bytes, empty for one that does not exist.
    """
    strip = AnchoredTask(task.signs, task.hashes)
    if not strip.signs or len(strip.hashes) != len(strip.signs) * HASH_LENGTH:
        return None  # a folded request keeps no hashes
    rows, after = _lines(new), max(planned.new_start - 1, 0)
    above = tuple(rows[max(0, after - AROUND) : after])
    body = list(_body(strip, _lines(old)[max(planned.old_start - 1, 0) :], rows[after:]))
    if len(body) < len(strip.signs):
        return None
    after += sum(sign != "-" for sign in strip.signs)
    hunk = Hunk(planned.old_start, planned.new_start, b"\n".join(body))
    return Code(hunk, above, tuple(rows[after : after + AROUND]))


def _lines(content: bytes) -> list[bytes]:
    return content.removesuffix(b"\n").split(b"\n") if content else []


def _body(strip: AnchoredTask, old: list[bytes], new: list[bytes]) -> Iterator[bytes]:
    """Row for row, and no further than the hashes agree."""
    at_old = at_new = 0
    for at, sign in enumerate(strip.signs):
        side, place = (old, at_old) if sign == "-" else (new, at_new)
        if place >= len(side) or line_hash(side[place]) != strip.hash_at(at):
            return
        yield sign.encode() + side[place]
        at_old += sign != "+"
        at_new += sign != "-"
