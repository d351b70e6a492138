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
        span = next((span for span in self._spans(path, side) if last in span), None)
        if span is None:
            return "the line is not in the diff"
        return None if first in span else "the range leaves its hunk"

    def _spans(self, path: str, side: Side) -> Iterator[range]:
        is_new = side is Side.RIGHT
        for hunk in self.files[path].hunks:
            start = hunk.new_start if is_new else hunk.old_start
            numbers = [line.new if is_new else line.old for line in hunk.lines]
            yield range(start, start + sum(number is not None for number in numbers))
