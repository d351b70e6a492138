"""Lines of code on the demo's page: the hunk above a comment, and a suggestion as a diff."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import zip_longest
from typing import Any

from claude_batch.costs.pages.page_templates import build_environment
from claude_batch.diff.lines import common_prefix_length
from claude_batch.diff.model import Line, Side
from claude_batch.diff.parser import parse_hunks
from claude_batch.markdown import HIDDEN
from claude_batch.sandbox.demo.conversation import ConversationItem

LINES_ABOVE = 3  # lines shown above those that a comment is on


@dataclass(frozen=True, slots=True)
class QuotedHunk:
    """The hunk that a review comment quotes; it ends at the line of the comment."""

    header: str
    lines: tuple[Line, ...]
    lines_commented: tuple[Line, ...]  # empty for an outdated comment


@dataclass(frozen=True, slots=True)
class DiffRow:
    """A line of a diff. `marked` is the part that a suggestion changes."""

    sign: str
    old: int | None
    new: int | None
    start: str
    marked: str = ""
    end: str = ""

    @property
    def look(self) -> str:
        """The row's class in demo.css."""
        return {"+": "added", "-": "removed"}.get(self.sign, "context")


def parse_quoted_hunk(item: ConversationItem) -> QuotedHunk | None:
    """Return None for a comment on a whole file, which quotes nothing."""
    hunks = parse_hunks(item.diff_hunk.encode("utf-8", "replace"))
    if not hunks:
        return None
    lines = hunks[0].lines
    other_sign = "+" if item.side == Side.LEFT else "-"
    own = [line for line in lines if line.sign != other_sign]
    first = item.start_line or item.line or 0
    count = item.line - first + 1 if item.line else 0
    header = item.diff_hunk.partition("\n")[0]
    return QuotedHunk(header, lines, tuple(own[len(own) - count :]))


def render_hunk(hunk: QuotedHunk) -> str:
    """Return the end of the hunk as a table, with the header if it starts at the first line."""
    first = hunk.lines_commented[0] if hunk.lines_commented else hunk.lines[-1]
    start = max(0, hunk.lines.index(first) - LINES_ABOVE)
    rows = [DiffRow(line.sign, line.old, line.new, _text(line)) for line in hunk.lines[start:]]
    return str(_templates().table(rows, "" if start else hunk.header))


def render_suggestion(lines: Sequence[Line], content: str) -> str:
    """Return a diff from `lines` to the content of a suggestion block."""
    new_texts = content.removesuffix("\n").split("\n") if content else []
    removed, added = [], []
    first = lines[0].new if lines else None
    for index, (line, new) in enumerate(zip_longest(lines, new_texts)):
        old = _text(line) if line else None
        start, end = (0, 0) if old is None or new is None else _common_ends(old, new)
        if line and old is not None:
            removed.append(DiffRow("-", line.new, None, *_split(old, start, end)))
        if new is not None:
            number = None if first is None else first + index
            added.append(DiffRow("+", None, number, *_split(new, start, end)))
    return str(_templates().suggestion([*removed, *added]))


def escape_code(text: str) -> str:
    """Escape for HTML, and write hidden and direction-changing characters as U+XXXX."""
    return HIDDEN.sub(
        lambda match: f'<span class="hidden">U+{ord(match[0]):04X}</span>', escape(text)
    )


@cache
def _templates() -> Any:
    environment = build_environment("claude_batch.sandbox.demo")
    environment.filters["code"] = escape_code
    return environment.get_template("diff.html").module


def _text(line: Line) -> str:
    return line.text.decode("utf-8", "replace").removesuffix("\r")


def _common_ends(old: str, new: str) -> tuple[int, int]:
    """Return the lengths of the common start and end; zeros for lines with little in common."""
    start = common_prefix_length(old, new)
    end = common_prefix_length(old[start:][::-1], new[start:][::-1])
    return (start, end) if (start + end) * 3 >= max(len(old), len(new)) else (0, 0)


def _split(text: str, start: int, end: int) -> tuple[str, str, str]:
    """Return the start, the marked part and the end. Nothing is marked without common ends."""
    if not start and not end:
        return text, "", ""
    stop = len(text) - end
    return text[:start], text[start:stop], text[stop:]
