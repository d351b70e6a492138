"""Read the objects of a repository: through libgit2 where possible, else by `git cat-file`."""

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
        unique_oids = dict.fromkeys(oids)
        blobs = dict(self._read_in_process(unique_oids))
        missing = [oid for oid in unique_oids if oid not in blobs]
        spooled_objects = ObjectSpool(self.git).objects(missing)
        return blobs | {oid: blob.read() for oid, blob in spooled_objects.items()}

    def sizes(self, oids: Iterable[str]) -> dict[str, int]:
        """In bytes, by id. Missing objects are left out."""
        stdin = "".join(f"{oid}\n" for oid in oids).encode()
        if not stdin:
            return {}
        out = self.git.run("cat-file", "--batch-check", stdin=stdin).out
        lines = (line.split(" ") for line in out.decode().splitlines())
        return {line[0]: int(line[2]) for line in lines if len(line) == 3}

    def entries(self, commit: str, *endings: str) -> list[TreeEntry]:
        """All files of a commit, or those whose path has one of these endings."""
        out = self.git.run("ls-tree", "-r", "-z", "--full-tree", commit).out
        return parse_tree(out, tuple(ending.encode() for ending in endings) or (b"",))

    def _read_in_process(self, oids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        import pygit2

        if self._libgit2 is None:
            return
        for oid in oids:
            obj = self._libgit2.get(oid)
            if isinstance(obj, pygit2.Blob):
                yield oid, obj.data

    @cached_property
    def _libgit2(self) -> "pygit2.Repository | None":
        """None where libgit2 cannot open it: SHA-256, an untrusted owner, new extensions."""
        import pygit2

        try:
            return pygit2.Repository(str(self.git.directory))
        except pygit2.GitError:
            return None


class ObjectSpool:
    """Objects in an unnamed temporary file, because a ledger may be larger than memory."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._file = TemporaryFile()  # noqa: SIM115 - closed when the spool is garbage
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)

    def objects(self, oids: Iterable[str]) -> dict[str, "SpooledObject"]:
        """The blobs by id. Missing objects and objects of other types are left out."""
        stdin = "".join(f"{oid}\n" for oid in oids if oid).encode()
        if not stdin:
            return {}
        with self._lock:
            start = self._file.seek(0, SEEK_END)
            self._git.run("cat-file", "--batch", stdin=stdin, out=self._file)
            # Git has moved the file position; seeking from the end does not depend on it.
            end = self._file.seek(0, SEEK_END)
            return {
                oid: SpooledObject(self, offset, size)
                for oid, offset, size in self._headers(start, end)
            }

    def add(self, content: bytes) -> "SpooledObject":
        """Add content that is not in git yet. Raises CannotRecord when the disk is full."""
        with self._lock, storage_errors(CannotRecord, "the ledger's new files"):
            start = self._file.seek(0, SEEK_END)
            # Not through the buffer, which would keep the bytes that did not fit.
            write_all(self._file.raw, content)
            self._file.seek(0, SEEK_END)
        return SpooledObject(self, start, len(content))

    def _headers(self, offset: int, end: int) -> Iterator[tuple[str, int, int]]:
        while offset < end:
            self._file.seek(offset)
            header = self._file.readline()
            offset += len(header)
            oid, *type_and_size = header.decode().split()
            if len(type_and_size) == 2:
                size = int(type_and_size[1])
                if type_and_size[0] == "blob":
                    yield oid, offset, size
                offset += size + 1

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
        for offset in range(self.start, end, CHUNK):
            yield self.spool.read(offset, min(CHUNK, end - offset))

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the offset of each line in the spool, and the line without its newline."""
        offset, remainder = self.start, b""
        for chunk in self.chunks():
            *lines, remainder = (remainder + chunk).split(b"\n")
            for line in lines:
                yield offset, line
                offset += len(line) + 1
        if remainder:
            yield offset, remainder

    def line_at(self, offset: int) -> bytes:
        return self.spool.line_at(offset)
