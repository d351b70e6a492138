"""The API's two clocks, from a batch's creation: 24 hours to end, 29 days to be fetched."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from claude_batch.event import Submitted
from claude_batch.ledger import View

RESULTS_STAY = timedelta(days=29)
LATE = timedelta(hours=20)
VERY_LATE = timedelta(days=25)


def warnings(view: View, now: datetime) -> Iterator[str]:
    """A sentence for each open batch with little time left, the same whenever it is said."""
    for sending in view.open_batches():
        fact = sending.submitted
        if fact is None:
            continue
        if now >= fact.created_at + VERY_LATE:
            yield _vanishing(fact)
        elif fact.created_at + LATE <= now < fact.expires_at:
            yield _expiring(fact)


def _expiring(fact: Submitted) -> str:
    return (
        f"batch {fact.batch} has not ended and will expire at {_time(fact.expires_at)}: what has "
        "no answer by then costs nothing, and `claude-batch collect` asks it once more"
    )


def _vanishing(fact: Submitted) -> str:
    return (
        f"the results of batch {fact.batch} vanish at {_time(fact.created_at + RESULTS_STAY)}: "
        "run `claude-batch collect` before that, or what was paid for is lost"
    )


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
