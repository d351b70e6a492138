"""A task: one question about one piece of changed code, known by its content hash.

The id holds what the answer depends on and nothing else, so that the same work has the same id
after a rebase, on another branch, on another machine. See docs/ledger-format.md.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NewType

from claude_batch.diff.model import FileChange, Hunk

TaskId = NewType("TaskId", str)
ID_VERSION = "1"
MAX_LINES = 400
MIN_LINES = 120


@dataclass(frozen=True, slots=True)
class DiffOrigin:
    """The task comes from a hunk of a diff."""

    old_path: str
    old_blob: str
    new_blob: str


@dataclass(frozen=True, slots=True)
class FileOrigin:
    """The task comes from a file that somebody named; its hunk holds context lines only."""

    blob: str


@dataclass(frozen=True, slots=True)
class TaskFileOrigin:
    """The task comes from a tasks file; `instruction` is what its author asks beside the kind."""

    instruction: str = ""


TaskOrigin = DiffOrigin | FileOrigin | TaskFileOrigin


@dataclass(frozen=True, slots=True)
class Task:
    id: TaskId
    kind: str
    path: str
    hunk: Hunk
    origin: TaskOrigin


def compute_task_id(kind_tag: str, path: str, body: bytes, instruction: str = "") -> TaskId:
    """SHA-256 over id version, kind, path and the hunk's bytes with its context, no line numbers.

    `kind_tag` is the kind's name with the major version of its prompt, or with the hash of the
    prompt for a kind of the user's own.
    """
    return _hashed(_named(kind_tag, path, instruction), body)


def _named(kind_tag: str, path: str, instruction: str = "") -> bytes:
    fields = [ID_VERSION, kind_tag, path] + ([instruction] if instruction else [])
    raws = [text.encode("utf-8", "surrogateescape") for text in fields]
    return b"".join(b"%d:%b" % (len(raw), raw) for raw in raws)


def _hashed(named: bytes, body: bytes) -> TaskId:
    return TaskId(hashlib.sha256(named + body).hexdigest())


def build_tasks(change: FileChange, kind: str, kind_tag: str) -> Iterator[Task]:
    source: TaskOrigin = (
        FileOrigin(change.new_blob)
        if change.status == "named"
        else DiffOrigin(change.old_path, change.old_blob, change.new_blob)
    )
    path, named = change.path, _named(kind_tag, change.path)
    for hunk in change.hunks:
        for piece in split_hunk(hunk):
            yield Task(_hashed(named, piece.body), kind, path, piece, source)


def split_hunk(hunk: Hunk) -> Iterator[Hunk]:
    """A hunk of more than MAX_LINES lines in parts, each cut where a block of code starts.

    The cut looks at content, not at distance from the top: a line added to a long new file
    changes the part that it stands in and leaves the ids of the later ones alone. A part of a
    changed hunk in which nothing changed is no question and is dropped.
    """
    if hunk.body.count(b"\n") < MAX_LINES:
        yield hunk
        return
    rows = hunk.body.split(b"\n")
    keep_all = not any(map(_changes, rows))
    old, new, start = hunk.old_start, hunk.new_start, 0
    for end in [*_cuts(rows), len(rows)]:
        part = rows[start:end]
        if keep_all or any(map(_changes, part)):
            yield Hunk(old, new, b"\n".join(part), hunk.heading)
        old += sum(row[:1] not in b"+\\" or not row for row in part)
        new += sum(row[:1] not in b"-\\" or not row for row in part)
        start = end


def _changes(row: bytes) -> bool:
    return row.startswith((b"+", b"-"))


def _cuts(rows: list[bytes]) -> Iterator[int]:
    last = 0
    for at in range(1, len(rows)):
        length = at - last
        starts_block = not rows[at - 1][1:].strip() and rows[at][1:2].strip() != b""
        landmark = starts_block and hashlib.sha256(rows[at]).digest()[0] < 64
        if (length >= MIN_LINES and landmark) or length >= MAX_LINES:
            if rows[at].startswith(b"\\"):
                continue
            yield at
            last = at


def unique_tasks(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """The first task of each id: two equal hunks in one file are one question."""
    return tuple({task.id: task for task in reversed(list(tasks))}.values())[::-1]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is asked. `tag` is the part of a task's id that stands for the kind."""

    name: str
    tag: str
    instructions: str
