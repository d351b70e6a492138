from datetime import timedelta
from decimal import Decimal

import pytest

from claude_batch.ledger.view import LedgerState
from claude_batch.setup.monthly_use import MonthlyUse, count_scheduled_runs
from claude_batch.setup.workflows import load_template
from ledger_events import answered, asked, at, intent, plan, submitted

DAY = 24 * 60.0  # minutes


def workflow(cron: str) -> str:
    return f"name: claude-batch\non:\n  schedule:\n    - cron: {cron}\n"


@pytest.mark.parametrize(
    ("cron", "runs"),
    [
        ('"37 6-20/2 * * 1-5" # every two hours', 8 * 5 * 52 / 12),
        ("'37 7,10,13,16 * * MON-FRI'", 4 * 5 * 52 / 12),
        ("*/15 * * * *", 4 * 24 * 7 * 52 / 12),
        ("5/20 3 * * 0,7", 3 * 52 / 12),
        ("0 3 1,15 * *", 2),
        ("0 3 1 * 1", 1 + 52 / 12),
        ("0 3 1 jan,jul *", 2 / 12),
        ("0 3 1 *", 0),
        ("often", 0),
    ],
)
def test_the_runs_of_a_schedule(cron: str, runs: float) -> None:
    assert count_scheduled_runs(workflow(cron)) == pytest.approx(runs)


def test_the_shipped_schedule_is_the_one_that_the_docs_compute_with() -> None:
    assert round(count_scheduled_runs(load_template("collect.yml"))) == 173
    assert count_scheduled_runs(load_template("submit.yml")) == 0


def test_another_workflow_does_not_count() -> None:
    assert count_scheduled_runs(workflow("* * * * *").replace("claude-batch", "tests")) == 0


def test_no_history_leaves_the_schedule() -> None:
    use = MonthlyUse.estimate([workflow("0 3 * * 1")], LedgerState.from_events([]), at(0))
    assert use == MonthlyUse(4, 0, 4, 4, Decimal(0))
    assert "4 scheduled runs and 0 runs for pull requests, 4 minutes" in use.describe()
    assert "estimated" in use.describe()


def test_recorded_runs_count_for_their_share_of_a_month() -> None:
    """Three runs of a week: two minutes, one minute, and one of a person's own machine."""
    events = [
        plan("p1").model_copy(update={"run": "gh1-1-a"}),
        intent("i1", 1).model_copy(update={"run": "gh1-1-a"}),
        asked("i1", 0, minute=1),
        submitted("i1", 1),
        answered("i1", minute=60).model_copy(update={"usd": Decimal("0.25")}),
        plan("p2", DAY).model_copy(update={"run": "gh2-1-b"}),
        plan("p3", DAY).model_copy(update={"run": "laptop"}),
    ]
    use = MonthlyUse.estimate([], LedgerState.from_events(events), at(5 * DAY))
    assert use.event_runs == round(2 * 30 / 7)
    assert use.minutes == round(3 * 30 / 7)
    assert use.github_requests == round(2 * 18 * 30 / 7)
    assert use.usd == Decimal("0.25")
    assert "no schedule" in use.describe()


def test_what_is_older_than_a_month_is_left_out() -> None:
    old = plan("p1").model_copy(update={"run": "gh1-1-a"})
    new = plan("p2", 40 * DAY).model_copy(update={"run": "gh2-1-b"})
    now = at(40 * DAY) + timedelta(days=1)
    use = MonthlyUse.estimate([], LedgerState.from_events([old, new]), now)
    assert (use.event_runs, use.minutes, use.github_requests) == (1, 1, 18)
