"""Values for tests: events, and content as a store has it."""

from decimal import Decimal
from pathlib import Path

from claude_batch.git.objects import ObjectSpool, SpooledObject
from claude_batch.git.process import Git
from claude_batch.ledger.events import AnyEvent
from ledger_events import answered, asked, failed, intent, settled, submitted

EVENTS: list[AnyEvent] = [
    *(intent("i1", requests=2), submitted("i1"), asked("i1", 0, "t1"), asked("i1", 1, "t2")),
    *(asked("i1", 1, "t2", minute=1), answered("i1", 0), answered("i1", 0, minute=11)),
    *(answered("i1", 0, usd=Decimal("0.03")), failed("i1", 1), answered("i9"), asked("i9", 0)),
    *(intent("i2"), asked("i2", 0, "t3"), settled("i2", 0, "t3"), settled("i0", 0, "t1")),
]


SPOOL = ObjectSpool(Git({}, Path()))


def spooled(content: bytes) -> SpooledObject:
    """Content as a store has it. No git process runs for it."""
    return SPOOL.add(content)
