"""The changes between two trees: files, hunks and lines.

A hunk keeps its body as the bytes that git printed: hashing thousands of hunks must not
cost a Python object per line, so lines are split only for the hunks that become requests.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple


class Side(StrEnum):
    """GitHub's words: LEFT counts lines of the old file, RIGHT of the new one."""

    LEFT = "LEFT"
    RIGHT = "RIGHT"

    @property
    def hidden_sign(self) -> str:
        """The sign of the lines that the file of this side does not have."""
        return "-" if self is Side.RIGHT else "+"


class Line(NamedTuple):
    """One line of a hunk. `text` has no newline; a CR of CRLF stays part of it."""

    sign: str  # " ", "+" or "-"
    text: bytes
    old: int | None  # 1-based number in the old file, None on "+"
    new: int | None  # 1-based number in the new file, None on "-"
    newline: bool = True  # False: the last line of a file without a final newline


@dataclass(frozen=True)
class Hunk:
    """`body`: every line with its sign, joined by newlines, "\\ No newline" marks included."""

    old_start: int
    new_start: int
    body: bytes
    heading: bytes = b""  # git prints it after the second @@

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The lines without the marks; a position in a hunk is an index into this.

        They stay as long as the hunk does. For a hundred thousand hunks use
        `signed_lines` and `iter_lines`, which cache nothing.
        """
        return tuple(self.iter_lines())

    def iter_lines(self) -> Iterator[Line]:
        return _parse_lines(self.body, self.old_start, self.new_start)

    @property
    def signed_lines(self) -> list[bytes]:
        """The lines with their signs, without the marks."""
        lines = self.body.split(b"\n")
        return [line for line in lines if line[:1] != b"\\"] if b"\n\\" in self.body else lines


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of a diff. Object ids are full; an absent side has only zeros as id and mode 0."""

    path: str
    old_path: str
    status: str  # added, modified, deleted, renamed, copied, typechange, named (for --paths)
    old_mode: int
    new_mode: int
    old_blob: str
    new_blob: str
    binary: bool = False
    hunks: tuple[Hunk, ...] = ()


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A changed file that is not reviewed, and why; `path` is printable."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two trees with the commits that they belong to (None: an index, a noted tree, no parent)."""

    base: str | None
    head: str | None
    base_tree: str
    head_tree: str
    label: str  # for people: "main..feature", "pull request 7", "staged changes"


@dataclass(frozen=True, slots=True)
class Diff:
    comparison: Comparison
    files: tuple[FileChange, ...]
    skipped: tuple[SkippedFile, ...] = field(default=())


def _parse_lines(body: bytes, old: int, new: int) -> Iterator[Line]:
    lines = body.split(b"\n")
    for line, next_line in zip(lines, [*lines[1:], b""], strict=True):
        sign = line[:1].decode("ascii", "replace") or " "
        if sign == "\\":
            continue
        newline = not next_line.startswith(b"\\")
        yield Line(
            sign,
            line[1:],
            None if sign == "+" else old,
            None if sign == "-" else new,
            newline,
        )
        old += sign != "+"
        new += sign != "-"
