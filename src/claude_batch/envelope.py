"""What one create sends: the bodies of its requests, each under its custom_id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from claude_batch.body import Body

START, END = b'{"requests":[', b"]}"
ROW = b'{"custom_id":"%b","params":%b}'  # the API takes no custom_id that would need escapes
CHUNK = 1 << 16


@dataclass(frozen=True)
class Envelope:
    """Its length is known before the first body is read, and one body is in memory at a time."""

    requests: Sequence[tuple[str, Body]]

    @cached_property
    def size(self) -> int:
        around = len(ROW % (b"", b"")) + 1  # a comma follows
        rows = sum(around + len(name) + body.size for name, body in self.requests)
        return len(START) + rows - bool(self.requests) + len(END)

    def __iter__(self) -> Iterator[bytes]:
        """In pieces of CHUNK or a little more."""
        filling, size = [], 0
        before = START
        for name, body in self.requests:
            filling += [before, ROW % (name.encode(), body.read())]
            before = b","
            size += body.size
            if size >= CHUNK:
                yield b"".join(filling)
                filling, size = [], 0
        yield b"".join([*filling, START if before is START else b"", END])
