import pytest

from claude_batch.batches.status import batch_warnings
from claude_batch.ledger.events import AnyEvent
from claude_batch.ledger.view import LedgerState
from ledger_events import asked, at, intent, status, submitted

DAY = 24 * 60
SENT: list[AnyEvent] = [intent("i1"), asked("i1", 0, "t1"), submitted("i1", 0)]
EXPIRING = (
    "batch batch-i1 has not ended and will expire at 2026-11-23 10:00 UTC: what has no answer by "
    "then costs nothing, and `claude-batch collect` asks it once more"
)
OVERDUE = (
    "batch batch-i1 was to end by 2026-11-23 10:00 UTC, and the API has not ended it: "
    "`claude-batch cancel batch-i1` asks for its end"
)
VANISHING = (
    "the results of batch batch-i1 vanish at 2026-12-21 10:00 UTC: run `claude-batch collect` "
    "before that, or what was paid for is lost"
)


@pytest.mark.parametrize(
    ("minute", "said"),
    [
        (20 * 60 - 1, []),
        (20 * 60, [EXPIRING]),
        (DAY - 1, [EXPIRING]),
        (DAY, []),
        (DAY + 6 * 60 - 1, []),
        (DAY + 6 * 60, [OVERDUE]),
        (25 * DAY - 1, [OVERDUE]),
        (25 * DAY, [VANISHING]),
        (40 * DAY, [VANISHING]),
    ],
)
def test_what_has_not_much_time_left(minute: float, said: list[str]) -> None:
    assert list(batch_warnings(LedgerState.from_events(SENT), at(minute))) == said


@pytest.mark.parametrize(
    "events",
    [
        [intent("i1"), asked("i1", 0, "t1")],
        [*SENT, status("i1", "collected")],
        [*SENT, status("i1", "lost")],
    ],
)
def test_what_is_over_or_never_was_has_no_clock(events: list[AnyEvent]) -> None:
    assert list(batch_warnings(LedgerState.from_events(events), at(26 * DAY))) == []
