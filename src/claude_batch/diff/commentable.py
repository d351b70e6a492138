"""Check whether GitHub accepts a comment on lines: one hunk must hold them, context included."""

from collections.abc import Iterator

from claude_batch.diff.model import Diff, Side


class Commentable:
    def __init__(self, diff: Diff) -> None:
        self.files = {change.path: change for change in diff.files}

    def find_problem(self, path: str, side: Side, first: int, last: int) -> str | None:
        """Lines `first..last`, 1-based. Removed lines, too, go by the file's new path."""
        if path not in self.files:
            return "the file is not in the diff"
        if first > last:
            return "the range ends before it starts"
        hunks = [hunk_lines for hunk_lines in self._spans(path, side) if last in hunk_lines]
        if not hunks:
            return "the line is not in the diff"
        return None if first in hunks[0] else "the range leaves its hunk"

    def _spans(self, path: str, side: Side) -> Iterator[range]:
        for hunk in self.files[path].hunks:
            if side is Side.RIGHT:
                length = sum(line.new is not None for line in hunk.lines)
                yield range(hunk.new_start, hunk.new_start + length)
            else:
                length = sum(line.old is not None for line in hunk.lines)
                yield range(hunk.old_start, hunk.old_start + length)
