"""Render the tasks of a request and their context for the model.

A line under review starts with its anchor and its sign, every other line of code with its sign
alone. So a line of code cannot be mistaken for a tag or an anchor.
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
from claude_batch.tasks.task import DiffOrigin, Task, TaskFileOrigin

MAX_TITLE_LENGTH = 200  # characters
MAX_DESCRIPTION_LENGTH = 1_500
HTML_COMMENT = re.compile("<!--.*?(?:-->|$)", re.DOTALL)  # GitHub does not show its text
# Characters that str.splitlines, or a reader of the prompt, could take for the end of a line.
LINE_BREAKS = dict.fromkeys(map(ord, "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\x00"), "\ufffd")


@dataclass(frozen=True, slots=True)
class PromptContext:
    """Context that is sent with the tasks of a request, all of it as data."""

    snippets: tuple[CodeSnippet, ...] = ()
    rule_files: tuple[RuleFile, ...] = ()
    title: str = ""
    description: str = ""


NO_CONTEXT = PromptContext()


def render_shared(rules: Sequence[PathRule], context: PromptContext) -> str:
    """Render what the requests of a submission have in common, in whole lines."""
    # It precedes the files of each request, so that it can be cached as a prefix.
    parts = [f"Rule of this repository: {rule.instruction}" for rule in rules]
    parts += [_render_rule_file(rule_file) for rule_file in context.rule_files]
    parts += _render_pull_request(context)
    return "".join(f"{part}\n" for part in parts)


def render_files(
    tasks: Sequence[Task],
    anchored: Sequence[AnchoredTask],
    known: Iterable[Task],
    snippets: Iterable[CodeSnippet] = (),
) -> str:
    """Render the code of a request by file.

    Lines of `tasks` carry anchors, numbered from 1 in the given order; `anchored` are the same
    tasks. `known` are tasks of the same files that are already answered.
    """
    parts: list[str] = []
    anchors = _anchors(tasks, anchored)
    for path, group in _group_by_path([*tasks, *known, *snippets]).items():
        parts.append(f"<file path={_quote(path)}{_render_old_path(group[0])}>")
        codes = [(item, _signed_code(item)) for item in sorted(group, key=_start)]
        visible = b"\n".join([code for _, code in codes])
        for item, code in codes:
            prefixes = anchors.get(id(item), repeat(""))
            parts += ["@@"] if isinstance(item, CodeSnippet) else _render_heading(item, visible)
            parts += map(add, prefixes, decode_lines(code))
        parts.append("</file>")
    return "\n".join(parts)


def _signed_code(item: Task | CodeSnippet) -> bytes:
    if isinstance(item, CodeSnippet):
        return b"\n".join(b" " + line for line in item.lines)
    return b"\n".join(item.hunk.signed_lines)


def _render_rule_file(rule_file: RuleFile) -> str:
    lines = _indent_prose(rule_file.text)
    return "\n".join([f"<rules path={_quote(rule_file.path)}>", *lines, "</rules>"])


def _render_pull_request(context: PromptContext) -> list[str]:
    title = " ".join(context.title.split())[:MAX_TITLE_LENGTH]
    if not title:
        return []
    description = "\n".join(_indent_prose(HTML_COMMENT.sub("", context.description)))
    kept = description[:MAX_DESCRIPTION_LENGTH]
    return [f"<pull-request title={_quote(title)}>", *filter(None, [kept]), "</pull-request>"]


def _indent_prose(text: str) -> list[str]:
    # A blank at the start of each line, so that it cannot be mistaken for a tag.
    return [f" {line.rstrip().translate(LINE_BREAKS)}" for line in text.split("\n") if line.strip()]


def _start(item: Task | CodeSnippet) -> int:
    return item.first if isinstance(item, CodeSnippet) else item.hunk.new_start


def _group_by_path(items: Iterable[Task | CodeSnippet]) -> dict[str, list[Task | CodeSnippet]]:
    groups: dict[str, list[Task | CodeSnippet]] = {}
    for item in items:
        groups.setdefault(item.path, []).append(item)
    return groups


def _anchors(tasks: Sequence[Task], anchored: Sequence[AnchoredTask]) -> dict[int, list[str]]:
    """The anchors of each task's lines, by the task's identity."""
    # Not by equality: an equal hunk among the known tasks has no anchors.
    anchors, start = {}, 1
    for task, anchored_task in zip(tasks, anchored, strict=True):
        anchors[id(task)] = anchored_task.build_anchors(start)
        start += len(anchored_task.signs)
    return anchors


def _render_old_path(item: Task | CodeSnippet) -> str:
    if isinstance(item, Task) and isinstance(item.origin, DiffOrigin):
        old_path = item.origin.old_path
        return f" was={_quote(old_path)}" if old_path != item.path else ""
    return ""


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(LINE_BREAKS)


def _render_heading(task: Task, visible: bytes) -> list[str]:
    heading = task.hunk.heading.strip()
    if heading and _is_visible(heading, visible):
        heading = b""
    lines = [f"@@ {decode_line(heading)}".rstrip()]
    if isinstance(task.origin, TaskFileOrigin) and task.origin.instruction:
        lines.append(f"@ {' '.join(task.origin.instruction.split())}")
    return lines


def _is_visible(heading: bytes, code: bytes) -> bool:
    """Return True if a line of the code starts with the heading."""
    # Not equals: git cuts a heading at eighty bytes.
    index = code.find(heading)
    while index >= 0:
        sign = code.rfind(b"\n", 0, index) + 1
        if sign < index and not code[sign + 1 : index].strip():
            return True
        index = code.find(heading, index + 1)
    return False


def decode_lines(code: bytes) -> list[str]:
    """Decode code as `decode_line` does, in one step where that gives the same lines."""
    decoded = code.decode("utf-8", "replace") + "\n"
    lines = decoded.splitlines()  # also at CR LF
    if len(lines) != decoded.count("\n") or "\0" in decoded:
        lines = [decode_line(line) for line in code.split(b"\n")]
    return [line or " " for line in lines]  # some tools strip the sign of a blank line


def decode_line(raw: bytes) -> str:
    """Decode a line to one line of UTF-8, whatever the bytes are."""
    decoded = raw.decode("utf-8", "replace").removesuffix("\r")
    return decoded if decoded.isprintable() else decoded.translate(LINE_BREAKS)
