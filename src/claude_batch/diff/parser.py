"""Parse `git diff-tree -z --patch-with-raw` into files with hunks or reasons to skip them.

The raw records are NUL-terminated and the patches follow them in the same order. Everything is
cut with `bytes.split` on marks that no row of a hunk can start with, never line by line.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain, islice

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


def parse_diff(chunks: Iterable[bytes]) -> Iterator[FileChange]:
    """Yield the changed files while git is still printing.

    Bytes of a path that are not UTF-8 are surrogates. Raises CannotRead when the raw records and
    the patches do not pair.
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
        if status == "typechange" and not skip_reason_of_mode(modes[1]):
            # A symlink or a submodule became a file: all of its lines are new.
            status, modes, old_blob = "added", (0, modes[1]), "0" * len(old_blob)
        yield FileChange(
            path.decode("utf-8", "surrogateescape"),
            old_path.decode("utf-8", "backslashreplace"),
            status,
            *modes,
            old_blob,
            new_blob,
            binary,
            hunks,
        )
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
    changes: Iterable[FileChange],
    find_large_blobs: Callable[[set[str]], Collection[str]],
    on_file: Callable[[FileChange], None],
) -> tuple[tuple[FileChange, ...], tuple[SkippedFile, ...]]:
    """Split changed files into those to review and those to skip.

    `find_large_blobs` returns the blobs over MAX_FILE_BYTES; it is called once, after the last
    file. `on_file` is called with each file to review as it comes.
    """
    files, skipped = [], []
    for change in changes:
        reason = _skip_reason(change)
        if reason:
            skipped.append((change, reason))
        else:
            files.append(change)
            on_file(change)
    binary = [change for change, reason in skipped if reason == BINARY]
    large = find_large_blobs(
        {oid for change in binary for oid in (change.old_blob, change.new_blob)}
    )
    skipped_files = []
    for change, reason in skipped:
        if reason == BINARY and (change.old_blob in large or change.new_blob in large):
            reason = TOO_LARGE
        path = printable(change.path.encode("utf-8", "surrogateescape"))
        skipped_files.append(SkippedFile(path, reason))
    return tuple(files), tuple(skipped_files)


def _skip_reason(change: FileChange) -> str | None:
    by_mode = skip_reason_of_mode(change.old_mode) or skip_reason_of_mode(change.new_mode)
    if by_mode:
        return by_mode
    if change.status == "deleted":
        return "deleted file"
    if change.binary:
        return BINARY
    if not change.hunks:
        return _reason_without_hunks(change)
    if change.hunks[0].new_start == 1 and LFS_HUNK.match(change.hunks[0].body):
        return "Git LFS pointer"
    return skip_reason_of_path(change.path.encode("utf-8", "surrogateescape"))


def _reason_without_hunks(change: FileChange) -> str:
    if change.status in ("renamed", "copied"):
        return "renamed without changes"
    return "mode change only" if change.old_blob == change.new_blob else "empty file"


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
