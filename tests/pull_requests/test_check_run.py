"""The title of the check run tells the truth: one row of the table for each state."""

from datetime import UTC, datetime, timedelta

import pytest

from claude_batch.diff.model import SkippedFile
from claude_batch.pull_requests.check_run import LONGEST_WAIT, ReviewCoverage, decide_check

HEAD = "c" * 40
SOON = datetime(2026, 11, 23, 14, 10, tzinfo=UTC)
BINARY, GENERATED = SkippedFile("a.png", "binary"), SkippedFile("g.py", "generated")
TABLE = [
    (
        {"answered": 1, "in_flight": 12, "waiting": 3, "ends_at": SOON},
        2,
        "Review pending: 12 tasks, by 14:10 UTC",
    ),
    ({"answered": 0, "in_flight": 1}, 0, "Review pending: 1 task"),
    ({"answered": 3, "waiting": 12, "reasons": ("next run",)}, 0, "Waiting: 12 tasks (next run)"),
    (
        {"answered": 0, "waiting": 3, "failed": 1, "reasons": ("budget", "paused")},
        1,
        "Waiting: 3 tasks (budget · paused)",
    ),
    (
        {"answered": 10, "failed": 2},
        3,
        "Incomplete: 2 of 12 tasks not reviewed, 3 findings",
    ),
    ({"answered": 0, "failed": 1}, 0, "Incomplete: 1 of 1 task not reviewed"),
    ({"answered": 12}, 3, "3 findings"),
    ({"answered": 12, "unverified": 1}, 1, "1 finding, second look at 1 finding"),
    ({"answered": 12, "unverified": 2}, 0, "Review pending: second look at 2 findings"),
    ({"answered": 0, "left_out": (BINARY,) * 4}, 0, "Nothing to review: 4 files left out"),
    ({"answered": 0}, 0, "Nothing to review"),
    ({"answered": 12, "left_out": (BINARY,)}, 0, "No findings in 12 tasks"),
    (
        {"answered": 12, "left_out": (GENERATED, BINARY)},
        0,
        "No findings in 12 tasks, 1 file left out",
    ),
]


@pytest.mark.parametrize(("fields", "findings", "title"), TABLE, ids=[row[2] for row in TABLE])
def test_the_first_row_that_holds_decides(
    fields: dict[str, object], findings: int, title: str
) -> None:
    coverage = ReviewCoverage(HEAD, **fields)  # type: ignore[arg-type]
    check = decide_check(coverage, findings, fails=True, may_fail=False)
    assert check.title == title
    assert (check.status, check.conclusion) == ("completed", "neutral")


@pytest.mark.parametrize(
    ("fields", "fails", "status", "conclusion"),
    [
        ({"answered": 1, "in_flight": 1}, True, "in_progress", None),
        ({"answered": 1, "unverified": 1}, False, "in_progress", None),
        ({"answered": 1, "waiting": 1}, False, "queued", None),
        ({"answered": 1}, True, "completed", "failure"),
        ({"answered": 1}, False, "completed", "neutral"),
        ({"answered": 1, "failed": 1}, True, "completed", "failure"),
    ],
)
def test_with_fail_on_it_is_open_until_all_is_answered(
    fields: dict[str, object], fails: bool, status: str, conclusion: str | None
) -> None:
    coverage = ReviewCoverage(HEAD, **fields)  # type: ignore[arg-type]
    check = decide_check(coverage, 1, fails=fails, may_fail=True)
    assert (check.status, check.conclusion) == (status, conclusion)


def test_after_26_hours_it_blocks_nothing_any_more() -> None:
    waiting = ReviewCoverage(HEAD, answered=0, waiting=1, age=LONGEST_WAIT)
    check = decide_check(waiting, 0, fails=False, may_fail=True)
    assert (check.status, check.conclusion) == ("completed", "neutral")
    assert check.title == "Not reviewed in time"
    early = ReviewCoverage(HEAD, answered=0, waiting=1, age=LONGEST_WAIT - timedelta(minutes=1))
    assert decide_check(early, 0, fails=False, may_fail=True).status == "queued"


def test_a_long_reason_is_cut() -> None:
    waiting = ReviewCoverage(HEAD, answered=0, waiting=1, reasons=("x" * 900,))
    title = decide_check(waiting, 0, fails=False, may_fail=False).title
    assert len(title) <= 255
    assert title.endswith("…)")
