"""What is written later has the later time, whatever the clocks of runners say.

Of several events about one thing the latest counts, by its `at`. A runner whose clock is behind
would write what does not count.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

TICK = timedelta(microseconds=1)


def after(known: Iterable[datetime], now: datetime) -> datetime:
    """`now`, or just after the last that is known."""
    return max([now, *(at + TICK for at in known)])
