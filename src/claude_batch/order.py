"""What is written later has the later time, whatever the clocks of runners say.

Of several events about one thing the latest counts, by its `at`. A runner whose clock is behind
would write what does not count.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import reduce
from typing import TypeVar, cast

from claude_batch.event import AnyEvent, Event, to_line

E = TypeVar("E", bound=Event)
TICK = timedelta(microseconds=1)


def after(known: Iterable[datetime], now: datetime) -> datetime:
    """`now`, or just after the last that is known."""
    return max([now, *(at + TICK for at in known)])


def latest(events: Iterable[E]) -> E:
    """Of events about one thing, at least one."""
    return reduce(lambda one, other: other if is_later(other, one) else one, events)


def is_later(event: Event, other: Event) -> bool:
    """Between two at once, the one with the greater line."""
    if event.at != other.at:
        return event.at > other.at
    return event != other and line_of(event) > line_of(other)


def line_of(event: Event) -> bytes:
    return to_line(cast(AnyEvent, event))
