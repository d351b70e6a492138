"""What one create sends: the bodies of its requests, each under its custom_id."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from claude_batch.body import Body

START, END = b'{"requests":[', b"]}"
CHUNK = 1 << 16


@dataclass(frozen=True)
class Envelope:
    """Its length is known before the first body is read, and one body is in memory at a time."""

    requests: Sequence[tuple[str, Body]]

    @property
    def size(self) -> int:
        commas = max(0, len(self.requests) - 1)
        rows = sum(len(_head(name)) + body.size + 1 for name, body in self.requests)
        return len(START) + rows + commas + len(END)

    def __iter__(self) -> Iterator[bytes]:
        """In pieces of CHUNK or a little more."""
        filling, size = [START], 0
        for at, (name, body) in enumerate(self.requests):
            filling += [b"," if at else b"", _head(name), body.read(), b"}"]
            size += body.size
            if size >= CHUNK:
                yield b"".join(filling)
                filling, size = [], 0
        yield b"".join([*filling, END])


def _head(custom_id: str) -> bytes:
    return b'{"custom_id":%b,"params":' % json.dumps(custom_id).encode()
