from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from claude_batch.config.model import Budget
from claude_batch.costs.budgets import check_budget, start_of_day_and_month
from claude_batch.errors import BudgetExceeded

LIMITS = Budget(pull_request=Decimal("1.00"), day=Decimal(5), month=Decimal(25))


def ask(wanted: str, pr: str | None = "0", day: str = "0", month: str = "0") -> None:
    check_budget(
        LIMITS,
        usd_max=Decimal(wanted),
        spent_pr=None if pr is None else Decimal(pr),
        spent_day=Decimal(day),
        spent_month=Decimal(month),
    )


def test_up_to_the_limit_is_within_it() -> None:
    ask("0.60", pr="0.40", day="4.40", month="24.40")


@pytest.mark.parametrize(
    ("spent", "key"),
    [
        ({"pr": "0.41"}, "pull_request"),
        ({"day": "4.41"}, "day"),
        ({"month": "24.400000001"}, "month"),
        ({"pr": None, "day": "4.41"}, "day"),
    ],
)
def test_each_limit_stops_by_itself(spent: dict[str, str], key: str) -> None:
    with pytest.raises(BudgetExceeded) as caught:
        ask("0.60", **spent)
    assert f"`budget.{key}`" in caught.value.remedy
    assert caught.value.exit_code == 4


def test_what_is_said() -> None:
    with pytest.raises(BudgetExceeded) as caught:
        ask("0.0612", pr="0.95")
    assert caught.value.problem == (
        "nothing was sent: up to $0.0612 would exceed the pull request budget of $1.00 "
        "($0.95 already spent or reserved)"
    )
    assert caught.value.remedy == (
        "raise `budget.pull_request` in the configuration, submit fewer files, or collect the "
        "open batches, which frees what they did not use"
    )


def test_the_limit_of_a_pull_request_holds_for_any_other_submission() -> None:
    ask("1.00", pr=None)
    with pytest.raises(BudgetExceeded) as caught:
        ask("1.01", pr=None)
    assert caught.value.problem == (
        "nothing was sent: up to $1.01 would exceed the budget of $1.00 for one submission"
    )
    assert caught.value.remedy == (
        "raise `budget.pull_request` in the configuration, submit fewer files, or pass a larger "
        "--budget"
    )


def test_no_limit_never_stops_and_a_limit_of_zero_always_does() -> None:
    nothing = Decimal(0)
    free = Budget(pull_request=None, day=None, month=None)
    much = Decimal(10**9)
    check_budget(free, usd_max=much, spent_pr=much, spent_day=much, spent_month=much)
    shut = Budget(month=nothing)
    with pytest.raises(BudgetExceeded):
        check_budget(
            shut, usd_max=Decimal("1e-9"), spent_pr=None, spent_day=nothing, spent_month=nothing
        )


def test_who_wants_nothing_is_within_a_budget_that_is_used_up() -> None:
    ask("0", pr="2", day="9", month="99")


def test_days_and_months_are_those_of_utc() -> None:
    now = datetime(2026, 12, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert start_of_day_and_month(now) == (
        datetime(2026, 11, 30, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
    )
