"""The files of one tree, each as a hunk of context lines."""

from dataclasses import dataclass

from claude_batch.diff.model import FileChange, Hunk, SkippedFile
from claude_batch.diff.parser import (
    BINARY,
    LFS_POINTER,
    TOO_LARGE,
    skip_reason_of_mode,
    skip_reason_of_path,
)
from claude_batch.formatting import printable


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One row of `git ls-tree -r -z`."""

    mode: int
    blob: str
    path: bytes

    @property
    def skip_reason(self) -> str | None:
        """The reason to skip the file, as far as its mode and path tell."""
        return skip_reason_of_mode(self.mode) or skip_reason_of_path(self.path)


def parse_tree(output: bytes, endings: tuple[bytes, ...] = (b"",)) -> list[TreeEntry]:
    """Parse `git ls-tree -r -z`, limited to paths with one of these endings."""
    entries = []
    for record in output.split(b"\0")[:-1]:
        if not record.endswith(endings):
            continue
        meta, _, path = record.partition(b"\t")
        mode, _, blob = meta.decode("ascii").split(" ")
        entries.append(TreeEntry(int(mode, 8), blob, path))
    return entries


def build_whole_file(entry: TreeEntry, content: bytes | None) -> FileChange | SkippedFile:
    """A file as one hunk of context lines. `content` None: it is over MAX_FILE_BYTES."""
    reason = entry.skip_reason or _content_reason(content)
    if reason or content is None:
        return SkippedFile(printable(entry.path), reason or TOO_LARGE)
    path, hunk = entry.path.decode(), build_context_hunk(content)
    ids = entry.mode, entry.mode, entry.blob, entry.blob
    return FileChange(path, path, "named", *ids, hunks=(hunk,))


def _content_reason(content: bytes | None) -> str | None:
    if content is None:
        return None
    if not content:
        return "empty file"
    if b"\0" in content[:8000]:  # git's own test for a binary file
        return BINARY
    return "Git LFS pointer" if LFS_POINTER.match(content) else None


def build_context_hunk(content: bytes) -> Hunk:
    """A whole file of one byte or more as one hunk in which every line is context."""
    body = b" " + content.removesuffix(b"\n").replace(b"\n", b"\n ")
    if not content.endswith(b"\n"):
        body += b"\n\\ No newline at end of file"
    return Hunk(1, 1, body)
