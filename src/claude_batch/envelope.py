"""What one create sends: the bodies of its requests, each under its custom_id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from claude_batch.body import Body

START, END = b'{"requests":[', b"]}"
# The API takes no custom_id that would need escapes.
NAME, PARAMS, CLOSE = b'{"custom_id":"', b'","params":', b"}"
CHUNK = 1 << 18  # from 128 KB on, what httpx2 costs is the bytes and no longer the pieces


@dataclass(frozen=True)
class Envelope:
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
