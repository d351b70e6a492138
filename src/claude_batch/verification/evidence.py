"""The code that a finding is about, from the two blobs of its file: no diff is made again."""

from collections.abc import Iterator
from dataclasses import dataclass

from claude_batch.diff.model import Hunk
from claude_batch.findings.anchors import AnchoredTask, line_hash
from claude_batch.tasks.plan import PlannedTask

CONTEXT_LINES = 20  # lines of the new file on each side


@dataclass(frozen=True, slots=True)
class CodeExcerpt:
    """A task's hunk and the lines of the new file next to it."""

    hunk: Hunk
    above: tuple[bytes, ...] = ()
    below: tuple[bytes, ...] = ()


def build_excerpt(
    task: AnchoredTask, planned: PlannedTask, old: bytes, new: bytes
) -> CodeExcerpt | None:
    """None where the blobs do not hold the lines that were asked about, by their hashes.

    `old` and `new` are the files' bytes, empty for one that does not exist.
    """
    if not task.has_hashes:
        return None
    rows, after = _split_lines(new), max(planned.new_start - 1, 0)
    above = tuple(rows[max(0, after - CONTEXT_LINES) : after])
    body = list(
        _matching_lines(task, _split_lines(old)[max(planned.old_start - 1, 0) :], rows[after:])
    )
    if len(body) < len(task.signs):
        return None
    after += sum(sign != "-" for sign in task.signs)
    hunk = Hunk(planned.old_start, planned.new_start, b"\n".join(body))
    return CodeExcerpt(hunk, above, tuple(rows[after : after + CONTEXT_LINES]))


def _split_lines(content: bytes) -> list[bytes]:
    return content.removesuffix(b"\n").split(b"\n") if content else []


def _matching_lines(task: AnchoredTask, old: list[bytes], new: list[bytes]) -> Iterator[bytes]:
    """Row for row, and no further than the hashes agree."""
    at_old = at_new = 0
    for at, sign in enumerate(task.signs):
        side, place = (old, at_old) if sign == "-" else (new, at_new)
        if place >= len(side) or line_hash(side[place]) != task.hash_at(at):
            return
        yield sign.encode() + side[place]
        at_old += sign != "+"
        at_new += sign != "-"
