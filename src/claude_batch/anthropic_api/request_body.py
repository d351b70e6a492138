"""Bodies that wait to be sent, in one temporary file: a batch may hold 256 MB of them.

The file has no name (where the system can do that), so that nothing of it outlives the process,
however that ends. What does not fill a block stays in memory, so most submissions open no file.
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

BLOCK = 1 << 18  # bytes that are written, and read again, at a time


class BodySpool:
    """Opened with the first full block; closed when it and its bodies are forgotten."""

    def __init__(self, open_file: Callable[[], RawIOBase] = open_unnamed) -> None:
        self._open = open_file
        self._file: RawIOBase | None = None
        self._tail: list[bytes] = []  # what is not in the file, which comes to `_written`
        self._written = self._end = 0
        self._seen, self._seen_start = b"", 0  # what was read last: others of it come next

    def store(self, content: bytes) -> "SpooledBody":
        """Raises CannotSubmit where there is no room for it."""
        kept = SpooledBody(self, self._end, len(content), hashlib.sha256(content).digest())
        self._tail.append(content)
        self._end += len(content)
        if self._end - self._written >= BLOCK:
            self._write(b"".join(self._tail))
        return kept

    def read(self, start: int, size: int) -> bytes:
        skip = start - self._seen_start
        if not 0 <= skip <= len(self._seen) - size:
            self._see(start, size)
            skip = start - self._seen_start
        return self._seen[skip : skip + size]

    def _see(self, start: int, size: int) -> None:
        if start >= self._written:
            self._seen, self._seen_start = b"".join(self._tail), self._written
        else:
            self._seen, self._seen_start = self._stored(start, max(size, BLOCK)), start

    def _write(self, block: bytes) -> None:
        with storage_errors(CannotSubmit, "the requests"):
            file = self._opened()
            file.seek(self._written)
            write_all(file, block)
        self._tail, self._written = [], self._end

    def _stored(self, start: int, size: int) -> bytes:
        file, parts = self._opened(), []
        file.seek(start)
        while size and (part := file.read(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _opened(self) -> RawIOBase:
        if self._file is None:
            self._file = self._open()
            weakref.finalize(self, self._file.close)
        return self._file


class SpooledBody(NamedTuple):
    """A body's place. Not a dataclass: 100,000 of these are made."""

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
    """JSON, as the API wants it."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def sha(self) -> str:
        """SHA-256, in hex."""

    def read(self) -> bytes: ...


StoreBody = Callable[[bytes], Body]


@dataclass(frozen=True, slots=True)
class InMemoryBody:
    """In memory: for what is small."""

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
CHUNK = 1 << 18  # from 128 KB on, what httpx2 costs is the bytes and no longer the pieces


@dataclass(frozen=True)
class BatchPayload:
    """Its length is known before the first body is read, and few bodies are in memory at a time."""

    requests: Sequence[tuple[str, Body]]

    @cached_property
    def size(self) -> int:
        number = len(self.requests)
        contents = sum([len(name) + body.size for name, body in self.requests])
        rows = number * len(NAME + PARAMS + CLOSE) + contents
        commas = max(number - 1, 0)
        return len(START) + rows + commas + len(END)

    def __iter__(self) -> Iterator[bytes]:
        """In pieces of CHUNK or a little more."""
        filling, size = [START], 0
        comma = b""
        for name, body in self.requests:
            filling += (comma, NAME, name.encode(), PARAMS, body.read(), CLOSE)
            comma = b","
            size += body.size
            if size >= CHUNK:
                yield b"".join(filling)
                filling, size = [], 0
        yield b"".join([*filling, END])
