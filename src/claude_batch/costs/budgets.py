"""Limits in dollars, checked before anything is sent. Days and months are UTC."""

from datetime import UTC, datetime
from decimal import Decimal

from claude_batch.config.model import Budget
from claude_batch.errors import BudgetExceeded
from claude_batch.formatting import dollars

BEGINNING_OF_TIME = datetime.min.replace(tzinfo=UTC)

WAIT = {
    "pull_request": "collect the open batches, which frees what they did not use",
    "day": "wait until midnight UTC",
    "month": "wait for the first of the month (UTC)",
}


def start_of_day_and_month(now: datetime) -> tuple[datetime, datetime]:
    """Where the day and the month of `now` began."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day, day.replace(day=1)


def check_budget(
    budget: Budget,
    *,
    usd_max: Decimal,
    spent_pr: Decimal | None,
    spent_day: Decimal,
    spent_month: Decimal,
) -> None:
    """Raises BudgetExceeded for the first limit that `wanted` (the most it can cost) breaks.

    What is spent includes what open batches have reserved. `spent_pr` is None where the work
    belongs to no pull request. Nothing wanted is within every budget.
    """
    if not usd_max:
        return
    limits = [
        ("pull_request", "this pull request", budget.pull_request, spent_pr),
        ("day", "today (UTC)", budget.day, spent_day),
        ("month", "this month (UTC)", budget.month, spent_month),
    ]
    for key, of_what, limit, spent in limits:
        if limit is not None and spent is not None and spent + usd_max > limit:
            raise BudgetExceeded(
                f"nothing was sent: this may cost up to {dollars(usd_max)}, and of the "
                f"{dollars(limit)} for {of_what} {dollars(spent)} is spent or reserved by open "
                "batches",
                f"raise `budget.{key}` in the configuration, ask about fewer files, or {WAIT[key]}",
            )
