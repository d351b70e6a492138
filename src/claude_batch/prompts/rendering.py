"""Prompts: versioned text files, and how a diff is shown to the model.

Each line that may be spoken about starts with its anchor and its sign; every other line of the
diff starts with its sign alone. So no line of code can pass for a tag or an anchor of ours.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import add

from claude_batch.config.model import PathRule
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.prompts.context import CodeSnippet
from claude_batch.prompts.repository_rules import RuleFile
from claude_batch.tasks.task import DiffOrigin, TaskFileOrigin, Task

MAX_TITLE_LENGTH = 200  # characters
MAX_DESCRIPTION_LENGTH = 1_500
HTML_COMMENT = re.compile("<!--.*?(?:-->|$)", re.DOTALL)  # GitHub shows nobody what is in it


@dataclass(frozen=True, slots=True)
class PromptContext:
    """What goes along with the tasks of a request, all of it as data."""

    snippets: tuple[CodeSnippet, ...] = ()
    rule_files: tuple[RuleFile, ...] = ()
    title: str = ""
    description: str = ""


NO_CONTEXT = PromptContext()


def render_shared(rules: Sequence[PathRule], beside: PromptContext) -> str:
    """What requests of one submission have in common, in whole rows. Their own files come after
    it, so that equal bytes are a prefix, which a cache could hold."""
    parts = [f"Rule of this repository: {rule.instruction}" for rule in rules]
    parts += [_paper(paper) for paper in beside.rule_files]
    parts += _pull_request(beside)
    return "".join(f"{part}\n" for part in parts)


def render_files(
    asked: Sequence[Task],
    strips: Sequence[AnchoredTask],
    context: Iterable[Task],
    pieces: Iterable[CodeSnippet] = (),
) -> str:
    """The change. `asked` lines carry anchors, counted from 1 in the order given; `strips` are
    those of the asked."""
    parts: list[str] = []
    anchors = _anchors(asked, strips)
    for path, group in _by_path([*asked, *context, *pieces]).items():
        parts.append(f"<file path={_quoted(path)}{_renamed(group[0])}>")
        codes = [(one, _code(one)) for one in sorted(group, key=_start)]
        sight = b"\n".join([code for _, code in codes])
        for one, code in codes:
            marks = anchors.get(id(one), repeat(""))
            parts += ["@@"] if isinstance(one, CodeSnippet) else _heading(one, sight)
            parts += map(add, marks, decode_lines(code))
        parts.append("</file>")
    return "\n".join(parts)


def _code(one: Task | CodeSnippet) -> bytes:
    """Rows, each after its sign."""
    rows = (b" " + line for line in one.lines) if isinstance(one, CodeSnippet) else one.hunk.rows
    return b"\n".join(rows)


def _in_sight(heading: bytes, code: bytes) -> bool:
    """Does a row start with it? git cuts a heading at eighty bytes."""
    at = code.find(heading)
    while at >= 0:
        sign = code.rfind(b"\n", 0, at) + 1
        if sign < at and not code[sign + 1 : at].strip():
            return True
        at = code.find(heading, at + 1)
    return False


def _paper(paper: RuleFile) -> str:
    return "\n".join([f"<rules path={_quoted(paper.path)}>", *_text(paper.text), "</rules>"])


def _pull_request(beside: PromptContext) -> list[str]:
    title = " ".join(beside.title.split())[:MAX_TITLE_LENGTH]
    if not title:
        return []
    said = "\n".join(_text(HTML_COMMENT.sub("", beside.description)))[:MAX_DESCRIPTION_LENGTH]
    return [f"<pull-request title={_quoted(title)}>", *filter(None, [said]), "</pull-request>"]


def _text(prose: str) -> list[str]:
    """Each row starts with a blank, so that none can pass for a tag of ours."""
    return [f" {row.rstrip().translate(LINE_BREAKS)}" for row in prose.split("\n") if row.strip()]


def _start(one: Task | CodeSnippet) -> int:
    return one.first if isinstance(one, CodeSnippet) else one.hunk.new_start


def _by_path(things: Iterable[Task | CodeSnippet]) -> dict[str, list[Task | CodeSnippet]]:
    grouped: dict[str, list[Task | CodeSnippet]] = {}
    for one in things:
        grouped.setdefault(one.path, []).append(one)
    return grouped


def _anchors(asked: Sequence[Task], strips: Sequence[AnchoredTask]) -> dict[int, list[str]]:
    """Of each asked task's lines. Keyed by identity: equal hunks are asked once."""
    found, start = {}, 1
    for task, strip in zip(asked, strips, strict=True):
        found[id(task)] = strip.build_anchors(start)
        start += len(strip.signs)
    return found


def _renamed(one: Task | CodeSnippet) -> str:
    if isinstance(one, Task) and isinstance(one.origin, DiffOrigin):
        return f" was={_quoted(one.origin.old_path)}" if one.origin.old_path != one.path else ""
    return ""


def _quoted(path: str) -> str:
    return json.dumps(path, ensure_ascii=False).translate(LINE_BREAKS)


def _heading(task: Task, sight: bytes) -> list[str]:
    heading = task.hunk.heading.strip()
    if heading and _in_sight(heading, sight):
        heading = b""
    rows = [f"@@ {decode_line(heading)}".rstrip()]
    if isinstance(task.origin, TaskFileOrigin) and task.origin.instruction:
        rows.append(f"@ {' '.join(task.origin.instruction.split())}")
    return rows


def decode_lines(code: bytes) -> list[str]:
    """Code as the model sees it, all at once where no line needs a look of its own."""
    decoded = code.decode("utf-8", "replace") + "\n"
    rows = decoded.splitlines()  # at a CR LF too
    if len(rows) != decoded.count("\n") or "\0" in decoded:
        rows = [decode_line(line) for line in code.split(b"\n")]
    return [row or " " for row in rows]  # some tools strip the sign of a blank line


def decode_line(raw: bytes) -> str:
    """A line as the model sees it: one row of UTF-8, whatever the bytes were."""
    decoded = raw.decode("utf-8", "replace").removesuffix("\r")
    return decoded if decoded.isprintable() else decoded.translate(LINE_BREAKS)


# What str.splitlines, or a reader of the prompt, could take for the start of a new row.
LINE_BREAKS = dict.fromkeys(map(ord, "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\x00"), "\ufffd")
