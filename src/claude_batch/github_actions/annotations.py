"""Workflow commands that annotate lines of code, safe for text that somebody else wrote.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["notice", "warning", "error"]
IN_MESSAGES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
IN_PROPERTIES = IN_MESSAGES | {":": "%3A", ",": "%2C"}
PER_LEVEL = 10  # GitHub shows so many of each level in a step and drops the rest silently


@dataclass(frozen=True, slots=True)
class Annotation:
    level: Level
    message: str
    file: str | None = None
    line: int | None = None
    end_line: int | None = None
    title: str | None = None


def render_annotation(said: Annotation) -> str:
    """One line, to be printed outside of a stop-commands guard."""
    properties = {
        "file": said.file,
        "line": said.line,
        "endLine": said.end_line,
        "title": said.title,
    }
    listed = ",".join(
        f"{key}={escape(str(value), IN_PROPERTIES)}"
        for key, value in properties.items()
        if value is not None
    )
    return f"::{said.level}{' ' * bool(listed)}{listed}::{escape(said.message, IN_MESSAGES)}"


def render_annotations(wanted: Iterable[Annotation]) -> list[str]:
    """At most PER_LEVEL lines of each level; where there are more, the last one counts them."""
    by_level: dict[Level, list[Annotation]] = {}
    for said in wanted:
        by_level.setdefault(said.level, []).append(said)
    lines = []
    for level, rows in by_level.items():
        shown = rows if len(rows) <= PER_LEVEL else rows[: PER_LEVEL - 1]
        lines += [render_annotation(said) for said in shown]
        if len(shown) < len(rows):
            lines.append(render_annotation(Annotation(level, f"and {len(rows) - len(shown)} more")))
    return lines


def escape(text: str, table: dict[str, str]) -> str:
    """All at once: a % that an escape brought in is not escaped again."""
    return text.translate({ord(char): code for char, code in table.items()})
