"""Rows of code on the demo's page: the hunk above a comment, and what a suggestion would change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from claude_batch.diff.lines import common_prefix_length
from claude_batch.diff.model import Line, Side
from claude_batch.diff.parser import parse_hunks
from claude_batch.markdown import HIDDEN
from claude_batch.sandbox.demo.conversation import ConversationItem

BEFORE = 3  # rows shown above the lines that a comment is about
LOOKS = {"+": "added", "-": "removed"}


@dataclass(frozen=True, slots=True)
class Quoted:
    """The hunk that a review comment quotes; it ends where the comment stands."""

    header: str
    lines: tuple[Line, ...]
    about: tuple[Line, ...]  # those that the comment is about; empty when it is outdated


def quoted(said: ConversationItem) -> Quoted | None:
    """None where the comment quotes nothing: it is on a whole file."""
    hunks = parse_hunks(said.diff_hunk.encode("utf-8", "replace"))
    if not hunks:
        return None
    lines = hunks[0].lines
    other = "+" if said.side == Side.LEFT else "-"
    mine = [line for line in lines if line.sign != other]
    first = said.start_line or said.line or 0
    count = said.line - first + 1 if said.line else 0
    header = said.diff_hunk.partition("\n")[0]
    return Quoted(header, lines, tuple(mine[len(mine) - count :]))


def hunk(shown: Quoted) -> str:
    """The end of the hunk; its header only where the hunk is shown from its start."""
    at = shown.lines.index(shown.about[0]) if shown.about else len(shown.lines) - 1
    start = max(0, at - BEFORE)
    top = [] if start else [f'<tr class="header"><td colspan="4">{code(shown.header)}</td></tr>']
    rows = [_row(line.sign, line.old, line.new, code(_text(line))) for line in shown.lines[start:]]
    return _table([*top, *rows])


def suggestion(about: Sequence[Line], content: str) -> str:
    """The lines in question as they are, and as they would be."""
    olds = [_text(line) for line in about]
    news = content.removesuffix("\n").split("\n") if content else []
    pairs = [_marked(old, new) for old, new in zip(olds, news, strict=False)]
    reds = [red for red, _ in pairs] + [code(old) for old in olds[len(news) :]]
    greens = [green for _, green in pairs] + [code(new) for new in news[len(olds) :]]
    numbers = [line.new for line in about]
    rows = [_row("-", number, None, red) for number, red in zip(numbers, reds, strict=True)]
    first = numbers[0] if numbers else None
    rows += [
        _row("+", None, None if first is None else first + at, green)
        for at, green in enumerate(greens)
    ]
    return f'<div class="suggestion"><p>Suggested change</p>{_table(rows)}</div>\n'


def code(text: str) -> str:
    """Escaped; what cannot be seen, or turns the direction of writing, is named."""
    return "".join(_named(text))


def _named(text: str) -> Iterator[str]:
    at = 0
    for found in HIDDEN.finditer(text):
        yield escape(text[at : found.start()])
        yield f'<span class="hidden">U+{ord(found[0]):04X}</span>'
        at = found.end()
    yield escape(text[at:])


def _text(line: Line) -> str:
    return line.text.decode("utf-8", "replace").removesuffix("\r")


def _marked(old: str, new: str) -> tuple[str, str]:
    """The two lines with what is different in them marked, where they have much in common."""
    start = common_prefix_length(old, new)
    end = common_prefix_length(old[start:][::-1], new[start:][::-1])
    if (start + end) * 3 < max(len(old), len(new)):
        return code(old), code(new)
    return _with_mark(old, start, end), _with_mark(new, start, end)


def _with_mark(text: str, start: int, end: int) -> str:
    stop = len(text) - end
    middle = f"<mark>{code(text[start:stop])}</mark>" if start < stop else ""
    return code(text[:start]) + middle + code(text[stop:])


def _row(sign: str, old: int | None, new: int | None, shown: str) -> str:
    numbers = "".join(f'<td class="number">{number or ""}</td>' for number in (old, new))
    look = LOOKS.get(sign, "context")
    return f'<tr class="{look}">{numbers}<td class="sign">{sign}</td><td>{shown}</td></tr>'


def _table(rows: Sequence[str]) -> str:
    return f'<table class="diff"><tbody>{"".join(rows)}</tbody></table>'
