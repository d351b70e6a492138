"""What git's plumbing prints and reads, as values."""

from collections.abc import Mapping
from datetime import datetime


def parse_tree(listing: bytes) -> dict[str, str]:
    """`git ls-tree -r -z`: path to blob id; an entry that is no file has the id ""."""
    found = {}
    for row in listing.split(b"\0")[:-1]:
        head, path = row.split(b"\t", 1)
        _, kind, oid = head.decode().split(" ")
        found[path.decode("utf-8", "backslashreplace")] = oid if kind == "blob" else ""
    return found


def parse_batch(printed: bytes) -> dict[str, bytes]:
    """`git cat-file --batch`: id to content; an object that is missing is left out."""
    found = {}
    at = 0
    while at < len(printed):
        end = printed.index(b"\n", at)
        oid, *rest = printed[at:end].decode().split(" ")
        at = end + 1
        if len(rest) == 2:
            size = int(rest[1])
            found[oid] = printed[at : at + size]
            at += size + 1
    return found


def import_stream(
    files: Mapping[str, bytes], parent: str | None, who: str, when: datetime, message: str
) -> bytes:
    """Input for `git fast-import` that adds `files` to `parent` and prints the new commit's id.

    The branch that it needs is dropped again before it ends, so no ref is written.
    """
    branch = b"refs/claude-batch/build"
    stamp = f"{who} {int(when.timestamp())} +0000".encode()
    text = message.encode()
    parts = [b"commit %b\nmark :1\nauthor %b\ncommitter %b\n" % (branch, stamp, stamp)]
    parts.append(b"data %d\n%b\n" % (len(text), text))
    if parent:
        parts.append(b"from %b\n" % parent.encode())
    for path, content in files.items():
        parts.append(b"M 100644 inline %b\ndata %d\n" % (path.encode(), len(content)))
        parts += [content, b"\n"]
    nothing = b"0" * len(parent or "0" * 40)
    parts.append(b"\nget-mark :1\nreset %b\nfrom %b\ndone\n" % (branch, nothing))
    return b"".join(parts)
