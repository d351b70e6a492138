"""Check budgets in dollars before anything is sent. Days and months are UTC."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import TypedDict

from claude_batch.config.model import Budget
from claude_batch.errors import BudgetExceeded
from claude_batch.formatting import dollars
from claude_batch.ledger.view import LedgerState

BEGINNING_OF_TIME = datetime.min.replace(tzinfo=UTC)

HOW_TO_WAIT = {
    "pull_request": "collect the open batches, which frees what they did not use",
    "day": "wait until midnight UTC",
    "month": "wait for the first of the month (UTC)",
}


def start_of_day_and_month(now: datetime) -> tuple[datetime, datetime]:
    """Return when the day and the month of `now` began."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day, day.replace(day=1)


class SpentDollars(TypedDict):
    """Dollars that were paid or are reserved, as arguments of `check_budget`."""

    # None: the work does not belong to a pull request, and the limit is that of one submission.
    spent_pr: Decimal | None
    spent_day: Decimal
    spent_month: Decimal


def sum_spent(state: LedgerState, now: datetime, pr: int | None = None) -> SpentDollars:
    day, month = start_of_day_and_month(now)
    return SpentDollars(
        spent_pr=sum_spent_on(state, pr),
        spent_day=state.spent(day),
        spent_month=state.spent(month),
    )


def sum_spent_on(state: LedgerState, pr: int | None) -> Decimal | None:
    return state.spent(BEGINNING_OF_TIME, pr) if pr else None


def check_budget(
    budget: Budget,
    *,
    usd_max: Decimal,
    spent_pr: Decimal | None,
    spent_day: Decimal,
    spent_month: Decimal,
) -> None:
    """Raise BudgetExceeded for the first limit that `usd_max` exceeds, the most work may cost."""
    if not usd_max:  # free work is within every budget, also within one that is exceeded already
        return
    limit = budget.pull_request
    if spent_pr is None and limit is not None and usd_max > limit:
        raise BudgetExceeded(
            f"nothing was sent: up to {dollars(usd_max)} would exceed the budget of "
            f"{dollars(limit)} for one submission",
            "raise `budget.pull_request` in the configuration, submit fewer files, or pass a "
            "larger --budget",
        )
    limits = [
        ("pull_request", "pull request", budget.pull_request, spent_pr),
        ("day", "daily", budget.day, spent_day),
        ("month", "monthly", budget.month, spent_month),
    ]
    for key, name, limit, spent in limits:
        if limit is not None and spent is not None and spent + usd_max > limit:
            raise BudgetExceeded(
                f"nothing was sent: up to {dollars(usd_max)} would exceed the {name} budget of "
                f"{dollars(limit)} ({dollars(spent)} already spent or reserved)",
                f"raise `budget.{key}` in the configuration, submit fewer files, "
                f"or {HOW_TO_WAIT[key]}",
            )
