"""The files of one tree, each as a hunk of context lines."""

from dataclasses import dataclass

from claude_batch.diff.model import FileChange, Hunk, SkippedFile
from claude_batch.diff.parser import BINARY, LFS_POINTER, OVER, mode_reason, path_reason
from claude_batch.formatting import printable


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One row of `git ls-tree -r -z`."""

    mode: int
    blob: str
    path: bytes

    @property
    def reason(self) -> str | None:
        """Why it is left out, as far as this can be said without its content."""
        return mode_reason(self.mode) or path_reason(self.path)


def parse_tree(out: bytes, endings: tuple[bytes, ...] = (b"",)) -> list[TreeEntry]:
    """Parse `git ls-tree -r -z`, limited to paths with one of these endings."""
    entries = []
    for row in out.split(b"\0")[:-1]:
        if not row.endswith(endings):
            continue
        meta, _, path = row.partition(b"\t")
        mode, _, blob = meta.decode("ascii").split(" ")
        entries.append(TreeEntry(int(mode, 8), blob, path))
    return entries


def whole_file(entry: TreeEntry, content: bytes | None) -> FileChange | SkippedFile:
    """A file as one hunk of context lines. `content` None: it is over LARGEST."""
    reason = entry.reason or _content_reason(content)
    if reason or content is None:
        return SkippedFile(printable(entry.path), reason or OVER)
    path, hunk = entry.path.decode(), context_hunk(content)
    ids = entry.mode, entry.mode, entry.blob, entry.blob
    return FileChange(path, path, "named", *ids, hunks=(hunk,))


def _content_reason(content: bytes | None) -> str | None:
    """A NUL in the first 8000 bytes is what git calls binary."""
    if content is None:
        return None
    if not content:
        return "empty file"
    if b"\0" in content[:8000]:
        return BINARY
    return "Git LFS pointer" if LFS_POINTER.match(content) else None


def context_hunk(content: bytes) -> Hunk:
    """A whole file of one byte or more as one hunk in which every line is context."""
    body = b" " + content.removesuffix(b"\n").replace(b"\n", b"\n ")
    if not content.endswith(b"\n"):
        body += b"\n\\ No newline at end of file"
    return Hunk(1, 1, body)
