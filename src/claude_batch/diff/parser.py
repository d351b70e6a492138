"""Parse `git diff-tree -z --patch-with-raw` into files with hunks or reasons to skip them.

The raw records are NUL-terminated and the patches follow them in the same order. Everything is
cut with `bytes.split` on marks that no row of a hunk can start with, never line by line.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

from claude_batch.diff.model import FileChange, Hunk, SkippedFile
from claude_batch.errors import CannotRead
from claude_batch.formatting import printable

LARGEST = 1 << 20  # bytes; git is told to call larger files binary and does not load them

STATUSES = {
    "A": "added",
    "C": "copied",
    "D": "deleted",
    "M": "modified",
    "R": "renamed",
    "T": "typechange",
}

BINARY, OVER = "binary", "larger than 1 MB"
SUBMODULE, SYMLINK = 0o160000, 0o120000
SECTION = b"\ndiff --git "

# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
LFS_POINTER = re.compile(rb"version https://(?:git-lfs|hawser)\.github\.com/spec/")

# The first line of the new file, after lines that are no longer there.
LFS_HUNK = re.compile(rb"(?:[-\\].*\n)*[ +]" + LFS_POINTER.pattern)


class Record(NamedTuple):
    """One changed file as git printed it."""

    old_mode: int
    new_mode: int
    old_blob: str
    new_blob: str
    status: str
    old_path: bytes
    path: bytes
    hunks: tuple[Hunk, ...]
    binary: bool

    @property
    def blobs(self) -> set[str]:
        return {self.old_blob, self.new_blob}


def parse(pieces: Iterable[bytes]) -> Iterator[Record]:
    """One after the other, while git goes on printing.

    Raises CannotRead when the raw records and the patches do not pair.
    """
    rest = iter(pieces)
    raw, patch = _parted(rest)
    sections = islice(_sections(chain((b"\n" + patch,), rest)), 1, None)
    for meta, old_path, path in _raw(raw):
        old_mode, new_mode, old_blob, new_blob, letter = meta.decode("ascii").split(" ")
        status = STATUSES.get(letter[:1], letter)
        # git prints a change of type as a deletion and an addition.
        mine = list(islice(sections, 2 if status == "typechange" else 1))
        if not mine:
            raise _unreadable()
        modes = int(old_mode.removeprefix(":"), 8), int(new_mode, 8)
        hunks = parse_hunks(mine[-1])
        binary = not hunks and b"\nBinary files " in mine[-1]
        yield Record(*modes, old_blob, new_blob, status, old_path, path, hunks, binary)
    if next(sections, None) is not None:
        raise _unreadable()


def _parted(pieces: Iterator[bytes]) -> tuple[bytes, bytes]:
    """The raw records, and as much of the patches as came with them."""
    raw = bytearray()
    for piece in pieces:
        start = max(0, len(raw) - 1)
        raw += piece
        end = raw.find(b"\0\0", start)
        if end >= 0:
            return bytes(raw[:end]), bytes(raw[end + 2 :])
    return bytes(raw), b""


def _sections(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the patch of each file."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(SECTION)
        yield from whole
    yield rest


def _raw(raw: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    fields = iter(raw.split(b"\0") if raw else [])
    for meta in fields:
        old_path = next(fields)
        moved = meta.rpartition(b" ")[2][:1] in b"RC"
        yield meta, old_path, next(fields) if moved else old_path


def parse_renames(out: bytes) -> dict[str, str]:
    """`git diff-tree -r -M -z --diff-filter=R`: old path to new path."""
    return {
        old.decode("utf-8", "backslashreplace"): new.decode("utf-8", "backslashreplace")
        for _, old, new in _raw(out.removesuffix(b"\0"))
    }


def _unreadable() -> CannotRead:
    return CannotRead(
        "git printed a diff whose files and patches do not pair",
        "update git, and report the commits with which it happens",
    )


def changes(
    records: Iterable[Record],
    large_of: Callable[[set[str]], Collection[str]],
    seen: Callable[[FileChange], None],
) -> tuple[tuple[FileChange, ...], tuple[SkippedFile, ...]]:
    """Split records into files to review and files to skip.

    `large_of` returns the blobs over LARGEST; it is called once, after the last record. `seen`
    is called with each file to review as it comes.
    """
    files, others = [], []
    for record in records:
        reason = _reason(record)
        if reason:
            others.append((record, reason))
        else:
            files.append(_change(record))
            seen(files[-1])
    binary = {oid for one, reason in others if reason == BINARY for oid in one.blobs}
    large = large_of(binary)
    left_out = (
        SkippedFile(
            printable(one.path),
            OVER if reason == BINARY and not one.blobs.isdisjoint(large) else reason,
        )
        for one, reason in others
    )
    return tuple(files), tuple(left_out)


def _change(record: Record) -> FileChange:
    return FileChange(
        record.path.decode(),
        record.old_path.decode("utf-8", "backslashreplace"),
        record.status,
        record.old_mode,
        record.new_mode,
        record.old_blob,
        record.new_blob,
        hunks=record.hunks,
    )


def _reason(record: Record) -> str | None:
    by_mode = mode_reason(record.old_mode) or mode_reason(record.new_mode)
    if by_mode:
        return by_mode
    if record.status == "deleted":
        return "deleted file"
    if record.binary:
        return BINARY
    if not record.hunks:
        return _reason_without_hunks(record)
    if record.hunks[0].new_start == 1 and LFS_HUNK.match(record.hunks[0].body):
        return "Git LFS pointer"
    return path_reason(record.path)


def _reason_without_hunks(record: Record) -> str:
    if record.path != record.old_path:
        return "renamed without changes"
    return "mode change only" if record.old_blob == record.new_blob else "empty file"


def mode_reason(mode: int) -> str | None:
    return {SUBMODULE: "submodule", SYMLINK: "symlink"}.get(mode)


def path_reason(path: bytes) -> str | None:
    try:
        path.decode()
    except UnicodeDecodeError:
        return "path is not UTF-8"
    return None


# An omitted count means one line. https://git-scm.com/docs/diff-format
HUNK_HEADER = re.compile(rb"(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)\n?")


def parse_hunks(patch: bytes) -> tuple[Hunk, ...]:
    """The hunks of one file's patch. Rows of a body start with a sign, so a header is a header."""
    parts = (b"\n" + patch).split(b"\n@@ -")[1:]
    return tuple(_hunk(part) for part in parts)


def _hunk(part: bytes) -> Hunk:
    header = HUNK_HEADER.match(part)
    if header is None:
        raise ValueError("not a hunk header")
    body = part[header.end() :].removesuffix(b"\n")
    return Hunk(int(header[1]), int(header[2]), body, header[3])
