"""Request bodies, kept in a temporary file until they are sent, and the payload of a batch.

A batch may hold 256 MB of bodies. Most submissions do not fill a block and open no file.
"""

import hashlib
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import RawIOBase
from typing import NamedTuple, Protocol

from claude_batch.errors import CannotSubmit
from claude_batch.git.temporary_files import open_unnamed, storage_errors, write_all

BLOCK = 1 << 18  # bytes per write and per read


class BodySpool:
    """A file of bodies. It is closed when the spool and its bodies are garbage."""

    def __init__(self, open_file: Callable[[], RawIOBase] = open_unnamed) -> None:
        self._open = open_file
        self._file: RawIOBase | None = None
        self._tail: list[bytes] = []  # bodies that are not in the file yet
        self._written = self._end = 0  # bytes in the file, and with the tail
        self._block, self._block_start = b"", 0  # the last read: the next body is often in it

    def store(self, content: bytes) -> "SpooledBody":
        """Raises CannotSubmit if the disk is full."""
        body = SpooledBody(self, self._end, len(content), hashlib.sha256(content).digest())
        self._tail.append(content)
        self._end += len(content)
        if self._end - self._written >= BLOCK:
            self._write(b"".join(self._tail))
        return body

    def read(self, start: int, size: int) -> bytes:
        offset = start - self._block_start
        if not 0 <= offset <= len(self._block) - size:
            self._load_block(start, size)
            offset = start - self._block_start
        return self._block[offset : offset + size]

    def _load_block(self, start: int, size: int) -> None:
        if start >= self._written:
            self._block, self._block_start = b"".join(self._tail), self._written
        else:
            self._block, self._block_start = self._read_file(start, max(size, BLOCK)), start

    def _write(self, block: bytes) -> None:
        with storage_errors(CannotSubmit, "the requests"):
            file = self._opened_file()
            file.seek(self._written)
            write_all(file, block)
        self._tail, self._written = [], self._end

    def _read_file(self, start: int, size: int) -> bytes:
        file, parts = self._opened_file(), []
        file.seek(start)
        while size and (part := file.read(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _opened_file(self) -> RawIOBase:
        if self._file is None:
            # A file without a name, where the system has those, does not outlive the process.
            self._file = self._open()
            weakref.finalize(self, self._file.close)
        return self._file


# Not a dataclass: a run may make 100,000 of these.
class SpooledBody(NamedTuple):
    """The place of a body in a spool."""

    spool: BodySpool
    start: int
    size: int
    digest: bytes

    @property
    def sha(self) -> str:
        return self.digest.hex()

    def read(self) -> bytes:
        return self.spool.read(self.start, self.size)


class Body(Protocol):
    """The `params` of one request, as JSON."""

    @property
    def size(self) -> int:
        """The number of bytes."""

    @property
    def sha(self) -> str:
        """The SHA-256, in hex."""

    def read(self) -> bytes: ...


StoreBody = Callable[[bytes], Body]


@dataclass(frozen=True, slots=True)
class InMemoryBody:
    """A small body, without a file."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def sha(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def read(self) -> bytes:
        return self.content


START, END = b'{"requests":[', b"]}"

# The API takes no custom_id that would need escapes.
NAME, PARAMS, CLOSE = b'{"custom_id":"', b'","params":', b"}"
CHUNK = 1 << 18  # from 128 KB on, the number of chunks no longer matters to the speed of httpx2


@dataclass(frozen=True)
class BatchPayload:
    """The JSON of a create call, as an iterable of chunks with a known size."""

    requests: Sequence[tuple[str, Body]]

    @cached_property
    def size(self) -> int:
        number = len(self.requests)
        names_and_bodies = sum([len(name) + body.size for name, body in self.requests])
        requests = number * len(NAME + PARAMS + CLOSE) + names_and_bodies
        commas = max(number - 1, 0)
        return len(START) + requests + commas + len(END)

    def __iter__(self) -> Iterator[bytes]:
        """Yield chunks of CHUNK bytes or a little more, with one chunk of bodies in memory."""
        parts, size = [START], 0
        comma = b""
        for name, body in self.requests:
            parts += (comma, NAME, name.encode(), PARAMS, body.read(), CLOSE)
            comma = b","
            size += body.size
            if size >= CHUNK:
                yield b"".join(parts)
                parts, size = [], 0
        yield b"".join([*parts, END])
