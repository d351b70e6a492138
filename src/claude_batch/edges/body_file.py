"""Bodies that wait to be sent, in one temporary file: a batch may hold 256 MB of them.

The file has no name (where the system can do that), so that nothing of it outlives the process,
however that ends.
"""

import hashlib
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from io import RawIOBase
from typing import cast

from claude_batch.errors import CannotSubmit


def _unnamed() -> RawIOBase:
    """Unbuffered: a full disk is noticed at the body that does not fit."""
    return cast(RawIOBase, tempfile.TemporaryFile(buffering=0))


class BodyFile:
    """Opened with the first body; closed when it and its bodies are forgotten."""

    def __init__(self, open_file: Callable[[], RawIOBase] = _unnamed) -> None:
        self._open = open_file
        self._file: RawIOBase | None = None
        self._end = 0

    def keep(self, content: bytes) -> "Kept":
        """Raises CannotSubmit where there is no room for it."""
        try:
            file, rest = self._opened(), memoryview(content)
            file.seek(self._end)
            while rest:
                rest = rest[file.write(rest) :]
        except OSError as error:
            raise CannotSubmit(
                "the requests could not be kept on disk until they are sent: "
                f"{error.strerror or error}",
                "free some space for temporary files, or let TMPDIR name a folder that has more",
            ) from error
        kept = Kept(self, self._end, len(content), hashlib.sha256(content).digest())
        self._end += len(content)
        return kept

    def read(self, start: int, size: int) -> bytes:
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


@dataclass(frozen=True, slots=True)
class Kept:
    """A body's place in the file."""

    home: BodyFile
    start: int
    size: int
    digest: bytes

    @property
    def sha(self) -> str:
        return self.digest.hex()

    def read(self) -> bytes:
        return self.home.read(self.start, self.size)
