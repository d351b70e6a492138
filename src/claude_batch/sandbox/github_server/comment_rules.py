"""GitHub's rules for review comments, computed from the diff.

GitHub does not publish the rules. The messages are those that clients have recorded.
https://github.com/parkerbxyz/suggest-changes/issues/28
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from claude_batch.diff.model import Hunk, Side
from claude_batch.sandbox.github_server.git_repository import ChangedFile

THREAD = "Pull request review thread"
MAX_CHARACTERS = 65_536
MAX_COMMENTS = 32
TOO_LONG = f"Body is too long (maximum is {MAX_CHARACTERS} characters)"
TOO_QUICK = "was submitted too quickly"
BLANK = "Body can't be blank"
NOT_A_LINE = f"{THREAD} line must be part of the diff"
NO_HUNK = f"{THREAD} diff hunk can't be blank"
OTHER_HUNK = f"{THREAD} start line must be part of the same hunk as the line."
START_AFTER_END = f"{THREAD} start line must precede the end line."
MALFORMED = "Review comments is invalid"
BAD_PATH = f"{THREAD} path is invalid"
BAD_SIDE = f"{THREAD} side is not included in the list"


def line_numbers(hunk: Hunk, side: Side) -> list[int | None]:
    """Return each line's number on that side, None if the line is on the other side only."""
    return [line.new if side is Side.RIGHT else line.old for line in hunk.lines]


def find_hunk(hunks: Iterable[Hunk], side: Side, line: int) -> Hunk | None:
    return next((hunk for hunk in hunks if line in line_numbers(hunk, side)), None)


def find_body_errors(body: Any) -> list[str]:
    if not isinstance(body, str) or not body.strip():
        return [BLANK]
    return [TOO_LONG] if len(body) > MAX_CHARACTERS else []


def is_malformed(draft: object) -> bool:
    """Return True if a field of the comment has a wrong type."""
    if not isinstance(draft, dict):
        return True
    texts = all(isinstance(draft.get(name, ""), str) for name in ("path", "side", "start_side"))
    lines = all(isinstance(draft.get(name, 1), int) for name in ("line", "start_line"))
    return not texts or not lines


def find_anchor_errors(draft: Mapping[str, Any], changes: Sequence[ChangedFile]) -> list[str]:
    """Return the errors of a comment's position; none for a good one."""
    file = next((file for file in changes if file.path == draft.get("path")), None)
    if file is None:
        return [BAD_PATH]
    if draft.get("subject_type") == "file":
        return []
    sides = {draft.get("side", "RIGHT"), draft.get("start_side", "RIGHT")}
    if not sides <= {"LEFT", "RIGHT"}:
        return [BAD_SIDE]
    line = draft.get("line")
    side = Side(draft.get("side", "RIGHT"))
    hunk = None if line is None else find_hunk(file.hunks, side, line)
    if line is None or hunk is None:
        return [NOT_A_LINE, NO_HUNK]
    return _find_start_errors(draft, hunk, line, side)


def _find_start_errors(draft: Mapping[str, Any], hunk: Hunk, line: int, side: Side) -> list[str]:
    start = draft.get("start_line")
    if start is None:
        return []
    start_side = Side(draft.get("start_side", side))
    if start not in line_numbers(hunk, start_side):
        is_late = start_side is side and start >= line
        return [START_AFTER_END] if is_late else [OTHER_HUNK]
    precedes = line_numbers(hunk, start_side).index(start) < line_numbers(hunk, side).index(line)
    return [] if precedes else [START_AFTER_END]


def quote_hunk(hunk: Hunk, side: Side, line: int) -> str:
    """Return the part of the hunk above a comment: its header and the lines up to `line`."""
    index = line_numbers(hunk, side).index(line)
    old_count = sum(row.old is not None for row in hunk.lines)
    new_count = sum(row.new is not None for row in hunk.lines)
    header = f"@@ -{hunk.old_start},{old_count} +{hunk.new_start},{new_count} @@"
    shown = hunk.lines[: index + 1]
    return "\n".join([header, *(row.sign + row.text.decode("utf-8", "replace") for row in shown)])


def shift_line(line: int, hunks: Sequence[Hunk]) -> int | None:
    """Return the line number after these hunks without context, None if it was changed."""
    shift = 0
    for hunk in hunks:
        removed = [row.old for row in hunk.lines if row.old is not None]
        if line in removed:
            return None
        # A hunk that only adds stands after the line that its header names.
        if (removed and removed[-1] < line) or (not removed and hunk.old_start < line):
            shift += len(hunk.lines) - 2 * len(removed)
    return line + shift
