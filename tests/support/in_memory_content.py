"""Values for tests: in memory content."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from claude_batch.ledger.events import AnyEvent
from ledger_events import answered, asked, failed, intent, settled, submitted

EVENTS: list[AnyEvent] = [
    *(intent("i1", requests=2), submitted("i1"), asked("i1", 0, "t1"), asked("i1", 1, "t2")),
    *(asked("i1", 1, "t2", minute=1), answered("i1", 0), answered("i1", 0, minute=11)),
    *(answered("i1", 0, usd=Decimal("0.03")), failed("i1", 1), answered("i9"), asked("i9", 0)),
    *(intent("i2"), asked("i2", 0, "t3"), settled("i2", 0, "t3"), settled("i0", 0, "t1")),
]


@dataclass(frozen=True)
class InMemory:
    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        yield self.content

    def lines(self) -> Iterator[tuple[int, bytes]]:
        place = 0
        for line in self.content.splitlines(keepends=True):
            yield place, line
            place += len(line)

    def line_at(self, place: int) -> bytes:
        return self.content[place:].split(b"\n", 1)[0]
