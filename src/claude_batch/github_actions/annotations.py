"""Render annotations of code lines as workflow commands, with untrusted text escaped.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["notice", "warning", "error"]
MESSAGE_ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
PROPERTY_ESCAPES = MESSAGE_ESCAPES | {":": "%3A", ",": "%2C"}
PER_LEVEL = 10  # GitHub drops further annotations of a level in a step without a message


@dataclass(frozen=True, slots=True)
class Annotation:
    level: Level
    message: str
    file: str | None = None
    line: int | None = None
    end_line: int | None = None
    title: str | None = None


def render_annotation(annotation: Annotation) -> str:
    """One line. The runner obeys it outside of `stop_commands` only."""
    properties = {
        "file": annotation.file,
        "line": annotation.line,
        "endLine": annotation.end_line,
        "title": annotation.title,
    }
    arguments = ",".join(
        f"{key}={escape(str(value), PROPERTY_ESCAPES)}"
        for key, value in properties.items()
        if value is not None
    )
    message = escape(annotation.message, MESSAGE_ESCAPES)
    return f"::{annotation.level}{' ' * bool(arguments)}{arguments}::{message}"


def render_annotations(annotations: Iterable[Annotation]) -> list[str]:
    """At most PER_LEVEL lines of each level. The last one counts those that are left out."""
    by_level: dict[Level, list[Annotation]] = {}
    for annotation in annotations:
        by_level.setdefault(annotation.level, []).append(annotation)
    lines = []
    for level, group in by_level.items():
        shown = group if len(group) <= PER_LEVEL else group[: PER_LEVEL - 1]
        lines += [render_annotation(annotation) for annotation in shown]
        hidden = len(group) - len(shown)
        if hidden:
            lines.append(render_annotation(Annotation(level, f"and {hidden} more")))
    return lines


def escape(text: str, table: dict[str, str]) -> str:
    # One pass: the % of an escape is not escaped again.
    return text.translate({ord(char): code for char, code in table.items()})
