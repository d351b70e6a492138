"""The code excerpt of a finding, rebuilt from the two blobs of its file without a diff."""

from collections.abc import Iterator
from dataclasses import dataclass

from claude_batch.diff.lines import split_lines
from claude_batch.diff.model import Hunk
from claude_batch.findings.anchors import AnchoredTask, hash_line
from claude_batch.tasks.plan import PlannedTask

CONTEXT_LINES = 20  # lines of the new file on each side


@dataclass(frozen=True, slots=True)
class CodeExcerpt:
    """A task's hunk and the lines of the new file around it."""

    hunk: Hunk
    above: tuple[bytes, ...] = ()
    below: tuple[bytes, ...] = ()


def build_excerpt(
    task: AnchoredTask, planned: PlannedTask, old: bytes, new: bytes
) -> CodeExcerpt | None:
    """Build the excerpt; None if the hashes of the reviewed lines do not match the blobs.

    `old` and `new` are the bytes of the two files, empty for a file that does not exist.
    """
    if not task.has_hashes:
        return None
    old_lines, new_lines = split_lines(old), split_lines(new)
    old_start, start = max(planned.old_start - 1, 0), max(planned.new_start - 1, 0)
    body = list(_matching_lines(task, old_lines[old_start:], new_lines[start:]))
    if len(body) < len(task.signs):
        return None
    end = start + sum(sign != "-" for sign in task.signs)
    return CodeExcerpt(
        Hunk(planned.old_start, planned.new_start, b"\n".join(body)),
        above=tuple(new_lines[max(0, start - CONTEXT_LINES) : start]),
        below=tuple(new_lines[end : end + CONTEXT_LINES]),
    )


def _matching_lines(task: AnchoredTask, old: list[bytes], new: list[bytes]) -> Iterator[bytes]:
    """Yield the hunk's lines with their signs, up to the first line whose hash differs."""
    old_index = new_index = 0
    for position, sign in enumerate(task.signs):
        lines, index = (old, old_index) if sign == "-" else (new, new_index)
        if index >= len(lines) or hash_line(lines[index]) != task.hash_at(position):
            return
        yield sign.encode() + lines[index]
        old_index += sign != "+"
        new_index += sign != "-"
