"""The running month: what was paid, how that compares, and where it leads. Months are UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from claude_batch.costs.budgets import start_of_day_and_month
from claude_batch.costs.entries import CostEntry, list_cost_entries
from claude_batch.costs.receipts import ZERO
from claude_batch.formatting import dollars
from claude_batch.ledger.view import LedgerState

SOONEST = timedelta(days=1)  # a line through less than a day says nothing


@dataclass(frozen=True, slots=True)
class MonthForecast:
    """`previous_usd`: in the same part of the month before; None: the ledger is younger."""

    start: datetime
    end: datetime
    usd: Decimal
    reserved_usd: Decimal
    unknown: int  # answers that are in no figure because their price is unknown
    previous_usd: Decimal | None
    forecast_usd: Decimal | None
    budget_usd: Decimal | None

    @property
    def change_percent(self) -> int | None:
        """Against the same part of the month before; None where nothing was paid then."""
        if not self.previous_usd:
            return None
        share = (self.usd - self.previous_usd) / self.previous_usd * 100
        return int(share.quantize(Decimal(1), ROUND_HALF_UP))


def forecast_month(views: Sequence[LedgerState], now: datetime, budget_usd: Decimal | None) -> MonthForecast:
    """The forecast is a straight line through what was paid so far; None on the first day."""
    _, start = start_of_day_and_month(now)
    end = (start + timedelta(days=32)).replace(day=1)
    elapsed = now - start
    found = list_cost_entries(views)
    current = [entry for entry in found if entry.answer.at >= start]
    usd = _paid(current)
    pace = _seconds(end - start) / _seconds(elapsed) if elapsed >= SOONEST else None
    return MonthForecast(
        start=start,
        end=end,
        usd=usd,
        reserved_usd=_reserved(views),
        unknown=sum(entry.is_unpriced for entry in current),
        previous_usd=_previous(found, start, elapsed),
        forecast_usd=None if pace is None else (usd * pace).quantize(Decimal("0.0001")),
        budget_usd=budget_usd,
    )


def describe_month(found: MonthForecast) -> list[str]:
    """For people, on the terminal and on the page."""
    budget = "" if found.budget_usd is None else f", of {dollars(found.budget_usd)} a month"
    rows = [
        f"{found.start:%B %Y} (UTC): {dollars(found.usd)} paid, {dollars(found.reserved_usd)} "
        f"reserved for open batches{budget}",
        _ahead(found),
    ]
    if found.previous_usd is not None:
        before = found.start - timedelta(days=1)
        rows.append(f"the same part of {before:%B}: {dollars(found.previous_usd)}{_trend(found)}")
    if found.unknown:
        rows.append(f"answers of unknown price, in none of these figures: {found.unknown:,}")
    return rows


def _ahead(found: MonthForecast) -> str:
    if found.forecast_usd is None:
        return "it is too early in the month for a forecast"
    said = f"at this pace {dollars(found.forecast_usd)} by the end of the month"
    if found.budget_usd is not None and found.forecast_usd > found.budget_usd:
        return f"{said}, {dollars(found.forecast_usd - found.budget_usd)} over the budget"
    return said


def _trend(found: MonthForecast) -> str:
    change = found.change_percent
    return "" if change is None else f" ({change:+,} %)"


def _previous(found: Sequence[CostEntry], start: datetime, elapsed: timedelta) -> Decimal | None:
    if all(entry.answer.at >= start for entry in found):
        return None
    began = (start - timedelta(days=1)).replace(day=1)
    until = min(began + elapsed, start)
    return _paid([entry for entry in found if began <= entry.answer.at < until])


def _paid(found: Sequence[CostEntry]) -> Decimal:
    return sum((entry.answer.usd or ZERO for entry in found), ZERO)


def _reserved(views: Sequence[LedgerState]) -> Decimal:
    return sum((row.charge() for view in views for row in view.rows if not row.answered), ZERO)


def _seconds(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(seconds=1))
