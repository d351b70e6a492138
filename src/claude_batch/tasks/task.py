"""A task: one question about one piece of changed code, identified by its content hash.

The id covers only what the answer depends on. The same work has the same id after a rebase, on
another branch and on another machine. See docs/ledger-format.md.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NewType

from claude_batch.diff.model import FileChange, Hunk

TaskId = NewType("TaskId", str)
ID_VERSION = "1"
MAX_LINES = 400  # of a hunk; a longer one is split
MIN_LINES = 120  # of a part before the next cut


@dataclass(frozen=True, slots=True)
class Kind:
    """A question with its instructions. `tag` stands for the kind in a task's id."""

    name: str
    tag: str
    instructions: str


@dataclass(frozen=True, slots=True)
class DiffOrigin:
    """The task comes from a hunk of a diff."""

    old_path: str
    old_blob: str
    new_blob: str


@dataclass(frozen=True, slots=True)
class FileOrigin:
    """The task comes from a whole file; its hunk holds context lines only."""

    blob: str


@dataclass(frozen=True, slots=True)
class TaskFileOrigin:
    """The task comes from a tasks file. `instruction` adds to the kind's instructions."""

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
    """SHA-256 over id version, kind, path and the hunk's bytes with its context.

    Line numbers are not in it. `kind_tag` is the kind's name with the major version of its
    prompt, or with the hash of the prompt for a kind of the user's own.
    """
    return _hash_task(_encode_fields(kind_tag, path, instruction), body)


def _encode_fields(kind_tag: str, path: str, instruction: str = "") -> bytes:
    fields = [ID_VERSION, kind_tag, path] + ([instruction] if instruction else [])
    encoded = [field.encode("utf-8", "surrogateescape") for field in fields]
    # With their lengths, so that two fields cannot run into each other.
    return b"".join(b"%d:%b" % (len(field), field) for field in encoded)


def _hash_task(encoded_fields: bytes, body: bytes) -> TaskId:
    return TaskId(hashlib.sha256(encoded_fields + body).hexdigest())


def build_tasks(change: FileChange, kind: str, kind_tag: str) -> Iterator[Task]:
    origin: TaskOrigin = (
        FileOrigin(change.new_blob)
        if change.status == "named"
        else DiffOrigin(change.old_path, change.old_blob, change.new_blob)
    )
    path, encoded_fields = change.path, _encode_fields(kind_tag, change.path)
    for hunk in change.hunks:
        for part in split_hunk(hunk):
            yield Task(_hash_task(encoded_fields, part.body), kind, path, part, origin)


def split_hunk(hunk: Hunk) -> Iterator[Hunk]:
    """Split a hunk of more than MAX_LINES lines at the starts of blocks of code."""
    if hunk.body.count(b"\n") < MAX_LINES:
        yield hunk
        return
    lines = hunk.body.split(b"\n")
    keep_all = not any(map(_is_changed, lines))
    old, new, start = hunk.old_start, hunk.new_start, 0
    for end in [*_find_cuts(lines), len(lines)]:
        part = lines[start:end]
        # A part without a change asks nothing, unless the whole hunk is a named file.
        if keep_all or any(map(_is_changed, part)):
            yield Hunk(old, new, b"\n".join(part), hunk.heading)
        old += sum(line[:1] not in b"+\\" or not line for line in part)
        new += sum(line[:1] not in b"-\\" or not line for line in part)
        start = end


def _is_changed(line: bytes) -> bool:
    return line.startswith((b"+", b"-"))


def _find_cuts(lines: list[bytes]) -> Iterator[int]:
    last = 0
    for index in range(1, len(lines)):
        length = index - last
        starts_block = not lines[index - 1][1:].strip() and lines[index][1:2].strip() != b""
        # The content decides, not the distance from the top: a line added to a long new file
        # changes only the part around it and leaves the ids of later parts alone.
        is_landmark = starts_block and hashlib.sha256(lines[index]).digest()[0] < 64
        if (length >= MIN_LINES and is_landmark) or length >= MAX_LINES:
            if lines[index].startswith(b"\\"):
                continue
            yield index
            last = index


def unique_tasks(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """Return the first task of each id: two equal hunks in one file are one question."""
    return tuple({task.id: task for task in reversed(list(tasks))}.values())[::-1]


def tasks_by_path(tasks: Iterable[Task]) -> dict[str, list[Task]]:
    grouped: dict[str, list[Task]] = {}
    for task in tasks:
        grouped.setdefault(task.path, []).append(task)
    return grouped
