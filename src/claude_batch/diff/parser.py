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

MAX_FILE_BYTES = 1 << 20  # bytes; git is told to call larger files binary and does not load them

STATUSES = {
    "A": "added",
    "C": "copied",
    "D": "deleted",
    "M": "modified",
    "R": "renamed",
    "T": "typechange",
}

BINARY, TOO_LARGE = "binary", "larger than 1 MB"
SUBMODULE, SYMLINK = 0o160000, 0o120000
SECTION = b"\ndiff --git "

# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
LFS_POINTER = re.compile(rb"version https://(?:git-lfs|hawser)\.github\.com/spec/")

# The first line of the new file, after lines that are no longer there.
LFS_HUNK = re.compile(rb"(?:[-\\].*\n)*[ +]" + LFS_POINTER.pattern)


class DiffRecord(NamedTuple):
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


def parse_diff(chunks: Iterable[bytes]) -> Iterator[DiffRecord]:
    """Yield the records while git is still printing.

    Raises CannotRead when the raw records and the patches do not pair.
    """
    remaining = iter(chunks)
    raw, patch = _split_raw_records(remaining)
    sections = islice(_iter_patches(chain((b"\n" + patch,), remaining)), 1, None)
    for meta, old_path, path in _parse_raw_records(raw):
        old_mode, new_mode, old_blob, new_blob, letter = meta.decode("ascii").split(" ")
        status = STATUSES.get(letter[:1], letter)
        # git prints a change of type as a deletion and an addition.
        patches = list(islice(sections, 2 if status == "typechange" else 1))
        if not patches:
            raise _pairing_error()
        modes = int(old_mode.removeprefix(":"), 8), int(new_mode, 8)
        hunks = parse_hunks(patches[-1])
        binary = not hunks and b"\nBinary files " in patches[-1]
        yield DiffRecord(*modes, old_blob, new_blob, status, old_path, path, hunks, binary)
    if next(sections, None) is not None:
        raise _pairing_error()


def _split_raw_records(chunks: Iterator[bytes]) -> tuple[bytes, bytes]:
    """The raw records, and as much of the patches as came with them."""
    raw = bytearray()
    for chunk in chunks:
        start = max(0, len(raw) - 1)
        raw += chunk
        end = raw.find(b"\0\0", start)
        if end >= 0:
            return bytes(raw[:end]), bytes(raw[end + 2 :])
    return bytes(raw), b""


def _iter_patches(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the patch of each file."""
    remainder = b""
    for chunk in chunks:
        *whole, remainder = (remainder + chunk).split(SECTION)
        yield from whole
    yield remainder


def _parse_raw_records(raw: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    fields = iter(raw.split(b"\0") if raw else [])
    for meta in fields:
        old_path = next(fields)
        moved = meta.rpartition(b" ")[2][:1] in b"RC"
        yield meta, old_path, next(fields) if moved else old_path


def parse_renames(output: bytes) -> dict[str, str]:
    """`git diff-tree -r -M -z --diff-filter=R`: old path to new path."""
    return {
        old.decode("utf-8", "backslashreplace"): new.decode("utf-8", "backslashreplace")
        for _, old, new in _parse_raw_records(output.removesuffix(b"\0"))
    }


def _pairing_error() -> CannotRead:
    return CannotRead(
        "git printed a diff whose files and patches do not pair",
        "update git, and report the commits with which it happens",
    )


def split_changes(
    records: Iterable[DiffRecord],
    find_large_blobs: Callable[[set[str]], Collection[str]],
    on_file: Callable[[FileChange], None],
) -> tuple[tuple[FileChange, ...], tuple[SkippedFile, ...]]:
    """Split records into files to review and files to skip.

    `find_large_blobs` returns the blobs over MAX_FILE_BYTES; it is called once, after the last
    record. `on_file` is called with each file to review as it comes.
    """
    files, skipped = [], []
    for record in records:
        reason = _skip_reason(record)
        if reason:
            skipped.append((record, reason))
        else:
            files.append(_file_change(record))
            on_file(files[-1])
    binary = {oid for record, reason in skipped if reason == BINARY for oid in record.blobs}
    large = find_large_blobs(binary)
    skipped_files = (
        SkippedFile(
            printable(record.path),
            TOO_LARGE if reason == BINARY and not record.blobs.isdisjoint(large) else reason,
        )
        for record, reason in skipped
    )
    return tuple(files), tuple(skipped_files)


def _file_change(record: DiffRecord) -> FileChange:
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


def _skip_reason(record: DiffRecord) -> str | None:
    by_mode = skip_reason_of_mode(record.old_mode) or skip_reason_of_mode(record.new_mode)
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
    return skip_reason_of_path(record.path)


def _reason_without_hunks(record: DiffRecord) -> str:
    if record.path != record.old_path:
        return "renamed without changes"
    return "mode change only" if record.old_blob == record.new_blob else "empty file"


def skip_reason_of_mode(mode: int) -> str | None:
    return {SUBMODULE: "submodule", SYMLINK: "symlink"}.get(mode)


def skip_reason_of_path(path: bytes) -> str | None:
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
    return tuple(_parse_hunk(part) for part in parts)


def _parse_hunk(text: bytes) -> Hunk:
    header = HUNK_HEADER.match(text)
    if header is None:
        raise ValueError("not a hunk header")
    body = text[header.end() :].removesuffix(b"\n")
    return Hunk(int(header[1]), int(header[2]), body, header[3])
