"""The current month (UTC): the amount paid, the change from last month and a forecast."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from claude_batch.costs.budgets import start_of_day_and_month
from claude_batch.costs.entries import CostEntry, list_cost_entries, percent_above, sum_paid
from claude_batch.costs.receipts import ZERO
from claude_batch.formatting import dollars
from claude_batch.ledger.view import LedgerState

MIN_ELAPSED = timedelta(days=1)  # a forecast from less than a day means nothing


@dataclass(frozen=True, slots=True)
class MonthForecast:
    start: datetime
    end: datetime
    usd: Decimal
    reserved_usd: Decimal
    unknown: int  # answers of unknown price, which are in no sum
    previous_usd: Decimal | None  # same part of last month; None: the ledger is younger
    forecast_usd: Decimal | None  # None: too early in the month
    budget_usd: Decimal | None

    @property
    def change_percent(self) -> int | None:
        """The change from the same part of last month; None if nothing was paid then."""
        return percent_above(self.usd, self.previous_usd)


def forecast_month(
    states: Sequence[LedgerState], now: datetime, budget_usd: Decimal | None
) -> MonthForecast:
    """Return the current month's sums. The forecast assumes that spending goes on at this pace."""
    _, start = start_of_day_and_month(now)
    end = (start + timedelta(days=32)).replace(day=1)
    elapsed = now - start
    entries = list_cost_entries(states)
    current = [entry for entry in entries if entry.answer.at >= start]
    usd = sum_paid(current)
    pace = _seconds(end - start) / _seconds(elapsed) if elapsed >= MIN_ELAPSED else None
    return MonthForecast(
        start=start,
        end=end,
        usd=usd,
        reserved_usd=_reserved(states),
        unknown=sum(entry.is_unpriced for entry in current),
        previous_usd=_previous(entries, start, elapsed),
        forecast_usd=None if pace is None else (usd * pace).quantize(Decimal("0.0001")),
        budget_usd=budget_usd,
    )


def describe_month(month: MonthForecast) -> list[str]:
    """Return sentences for the terminal and the cost page."""
    budget = "" if month.budget_usd is None else f", of {dollars(month.budget_usd)} a month"
    sentences = [
        f"{month.start:%B %Y} (UTC): {dollars(month.usd)} paid, {dollars(month.reserved_usd)} "
        f"reserved for open batches{budget}",
        _describe_forecast(month),
    ]
    if month.previous_usd is not None:
        previous = month.start - timedelta(days=1)
        change = month.change_percent
        percent = "" if change is None else f" ({change:+,} %)"
        sentences.append(f"the same part of {previous:%B}: {dollars(month.previous_usd)}{percent}")
    if month.unknown:
        sentences.append(f"answers of unknown price, in none of these figures: {month.unknown:,}")
    return sentences


def _describe_forecast(month: MonthForecast) -> str:
    if month.forecast_usd is None:
        return "it is too early in the month for a forecast"
    forecast = f"at this pace {dollars(month.forecast_usd)} by the end of the month"
    if month.budget_usd is not None and month.forecast_usd > month.budget_usd:
        return f"{forecast}, {dollars(month.forecast_usd - month.budget_usd)} over the budget"
    return forecast


def _previous(entries: Sequence[CostEntry], start: datetime, elapsed: timedelta) -> Decimal | None:
    if all(entry.answer.at >= start for entry in entries):
        return None
    previous_start = (start - timedelta(days=1)).replace(day=1)
    until = min(previous_start + elapsed, start)
    return sum_paid(entry for entry in entries if previous_start <= entry.answer.at < until)


def _reserved(states: Sequence[LedgerState]) -> Decimal:
    return sum((row.charge() for state in states for row in state.requests if not row.answer), ZERO)


def _seconds(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(seconds=1))
