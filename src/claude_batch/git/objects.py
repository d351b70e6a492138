"""Read the objects of a repository: through libgit2 where it can, else by `git cat-file`."""

import threading
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from io import SEEK_END
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from claude_batch.diff.whole_files import TreeEntry, parse_tree
from claude_batch.errors import CannotRecord
from claude_batch.git.process import CHUNK, Git
from claude_batch.git.temporary_files import storage_errors, write_all

if TYPE_CHECKING:
    import pygit2


@dataclass(frozen=True)
class ObjectReader:
    git: Git

    def read(self, oids: Iterable[str]) -> dict[str, bytes]:
        """The blobs by id. Those that are neither here nor on a promisor remote are left out."""
        wanted = dict.fromkeys(oids)
        blobs = dict(self._read_in_process(wanted))
        rest = [oid for oid in wanted if oid not in blobs]
        spooled = ObjectSpool(self.git).objects(rest)
        return blobs | {oid: blob.read() for oid, blob in spooled.items()}

    def sizes(self, oids: Iterable[str]) -> dict[str, int]:
        """In bytes, by id. Missing objects are left out."""
        wanted = "".join(f"{oid}\n" for oid in oids).encode()
        if not wanted:
            return {}
        out = self.git.run("cat-file", "--batch-check", stdin=wanted).out
        rows = (row.split(" ") for row in out.decode().splitlines())
        return {row[0]: int(row[2]) for row in rows if len(row) == 3}

    def entries(self, commit: str, *endings: str) -> list[TreeEntry]:
        """All files of a commit, or those whose path has one of these endings."""
        out = self.git.run("ls-tree", "-r", "-z", "--full-tree", commit).out
        return parse_tree(out, tuple(ending.encode() for ending in endings) or (b"",))

    def _read_in_process(self, oids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        import pygit2

        if self._libgit2 is None:
            return
        for oid in oids:
            found = self._libgit2.get(oid)
            if isinstance(found, pygit2.Blob):
                yield oid, found.data

    @cached_property
    def _libgit2(self) -> "pygit2.Repository | None":
        """None where libgit2 refuses: SHA-256, an untrusted owner, new extensions."""
        import pygit2

        try:
            return pygit2.Repository(str(self.git.directory))
        except pygit2.GitError:
            return None


class ObjectSpool:
    """Objects in an unnamed temporary file, because a ledger may be larger than memory."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._file = TemporaryFile()  # noqa: SIM115 - closed when this is forgotten
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)

    def objects(self, oids: Iterable[str]) -> dict[str, "SpooledObject"]:
        """The blobs by id. Missing objects and objects of other types are left out."""
        wanted = "".join(f"{oid}\n" for oid in oids if oid).encode()
        if not wanted:
            return {}
        with self._lock:
            start = self._file.seek(0, SEEK_END)
            self._git.run("cat-file", "--batch", stdin=wanted, out=self._file)
            # Git has moved the place in the file, and seeking from the end is sure to notice.
            end = self._file.seek(0, SEEK_END)
            return {
                oid: SpooledObject(self, at, size) for oid, at, size in self._headers(start, end)
            }

    def add(self, content: bytes) -> "SpooledObject":
        """Add content that is not in git yet. Raises CannotRecord when the disk is full."""
        with self._lock, storage_errors(CannotRecord, "the ledger's new files"):
            start = self._file.seek(0, SEEK_END)
            # Not through the buffer, which would keep what did not fit.
            write_all(self._file.raw, content)
            self._file.seek(0, SEEK_END)
        return SpooledObject(self, start, len(content))

    def _headers(self, at: int, end: int) -> Iterator[tuple[str, int, int]]:
        while at < end:
            self._file.seek(at)
            header = self._file.readline()
            at += len(header)
            oid, *rest = header.decode().split()
            if len(rest) == 2:
                size = int(rest[1])
                if rest[0] == "blob":
                    yield oid, at, size
                at += size + 1

    def read(self, offset: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)

    def line_at(self, offset: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            return self._file.readline()


@dataclass(frozen=True, slots=True)
class SpooledObject:
    """One object in the spool."""

    spool: ObjectSpool
    start: int
    size: int

    def read(self) -> bytes:
        return self.spool.read(self.start, self.size)

    def chunks(self) -> Iterator[bytes]:
        end = self.start + self.size
        for at in range(self.start, end, CHUNK):
            yield self.spool.read(at, min(CHUNK, end - at))

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the offset of each line in the spool, and the line without its newline."""
        place, rest = self.start, b""
        for chunk in self.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield place, line
                place += len(line) + 1
        if rest:
            yield place, rest

    def line_at(self, offset: int) -> bytes:
        return self.spool.line_at(offset)
