"""The body of a request: known by its length and hash, and read again when it is sent.

A batch may hold 256 MB of them, so whoever decides what to send must not hold their bytes.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Body(Protocol):
    """JSON, as the API wants it."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def sha(self) -> str:
        """SHA-256, in hex."""

    def read(self) -> bytes: ...


Keep = Callable[[bytes], Body]


@dataclass(frozen=True, slots=True)
class Held:
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
