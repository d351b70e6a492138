"""The cost page: what was spent, as one HTML file that works offline."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from claude_batch.config.model import Budget
from claude_batch.costs.entries import CostEntry
from claude_batch.costs.forecast import MonthForecast, describe_month
from claude_batch.costs.pages.charts import Amount, Chart, Limit, Series, render_chart
from claude_batch.costs.pages.page_templates import build_environment
from claude_batch.costs.receipts import ZERO, Receipt
from claude_batch.costs.spending import SpendingGroup, SpendingReport, format_paid, measure_accuracy
from claude_batch.formatting import dollars

MAX_DAYS = 90  # more bars would be thinner than a pixel on a phone
WAIT_HOURS = (1, 3, 6, 12, 24)
AMOUNT_COLUMNS = ("paid", "standard", "saved", "estimated", "requests")

DailyGroups = dict[str, SpendingGroup | None]  # by day; None: a day without an answer


def render_cost_page(
    report: SpendingReport,
    daily: SpendingReport,
    entries: Sequence[CostEntry],
    month: MonthForecast,
    budget: Budget,
    now: datetime,
) -> str:
    """Return the page. `report` is the table at its end; the charts show `daily` and `entries`."""
    group_by = report.group_by.replace("_", " ")
    template = build_environment("claude_batch.costs.pages").get_template("cost.html")
    return template.render(
        since=report.since,
        now=now,
        sentences=describe_month(month),
        charts=list(_charts(daily, entries, month, budget)),
        render_chart=render_chart,
        group_by=group_by,
        group_head=[group_by, *AMOUNT_COLUMNS],
        group_rows=[_group_row(group) for group in (*report.groups, report.total)],
    )


def _charts(
    daily: SpendingReport, entries: Sequence[CostEntry], month: MonthForecast, budget: Budget
) -> Iterator[Chart]:
    if not daily.groups:
        return
    days = _last_days(daily)
    yield _spend_chart(days, month, budget)
    yield _savings_chart(daily.total.receipt)
    yield _accuracy_chart(entries)
    yield _hit_rate_chart(days)
    yield _wait_chart(entries)


def _last_days(daily: SpendingReport) -> DailyGroups:
    """Return the last 90 days up to the last answer, days without answers included."""
    groups = {group.name: group for group in daily.groups}
    last = date.fromisoformat(max(groups))
    span = min((last - date.fromisoformat(min(groups))).days + 1, MAX_DAYS)
    days = [(last - timedelta(days=back)).isoformat() for back in reversed(range(span))]
    return {day: groups.get(day) for day in days}


def _spend_chart(days: DailyGroups, month: MonthForecast, budget: Budget) -> Chart:
    values = [ZERO if group is None else _paid(group) for group in days.values()]
    limit = None
    if budget.day is not None:
        limit = Limit("budget of a day", budget.day)
    elif budget.month is not None:
        days_in_month = (month.end - month.start).days
        name = "budget of the month, spread over its days"
        limit = Limit(name, budget.month / days_in_month)
    note = "A ? is a day without a known price."
    return Chart("Spend per day", list(days), [Series("paid", values)], dollars, limit, note=note)


def _paid(group: SpendingGroup) -> Amount:
    return None if group.unknown and not group.receipt.usd else group.receipt.usd


def _savings_chart(receipt: Receipt) -> Chart:
    causes = {
        "batch": receipt.saved_by_batch,
        "cache": receipt.saved_by_cache,
        "dedupe": receipt.saved_by_dedupe,
    }
    series = Series("saved", list(causes.values()))
    note = "Below zero, it cost more than it saved."
    return Chart("Saved by cause", list(causes), [series], dollars, note=note)


def _accuracy_chart(entries: Sequence[CostEntry]) -> Chart:
    accuracies = measure_accuracy(entries)
    return Chart(
        "Estimate against actual",
        [f"{accuracy.kind}, {accuracy.model}" for accuracy in accuracies],
        [
            Series("estimated", [accuracy.usd_estimated for accuracy in accuracies]),
            Series("paid", [accuracy.usd for accuracy in accuracies]),
        ],
        dollars,
        note="Requests that were billed at a known price.",
    )


def _hit_rate_chart(days: DailyGroups) -> Chart:
    values = [None if group is None else _hit_rate(group.receipt) for group in days.values()]
    series = Series("hit rate", values)
    note = "Share of prompt tokens that were read from a cache."
    return Chart("Cache hit rate", list(days), [series], "{:.0%}".format, is_line=True, note=note)


def _hit_rate(receipt: Receipt) -> Amount:
    prompt = receipt.input_tokens + receipt.cache_read_tokens + receipt.cache_write_tokens
    return Decimal(receipt.cache_read_tokens) / prompt if prompt else None


def _wait_chart(entries: Sequence[CostEntry]) -> Chart:
    counts = dict.fromkeys([*map(_at_most, WAIT_HOURS), "longer", "unknown"], 0)
    for entry in entries:
        counts[_wait_label(entry.wait)] += 1
    series = Series("requests", [Decimal(count) for count in counts.values()])
    return Chart(
        "Time from submit to answer",
        list(counts),
        [series],
        "{:,.0f}".format,
        is_count=True,
        note="Requests, from the creation of their batch to the record of their answer. Unknown: "
        "the ledger is compacted there, or a clock went backwards.",
    )


def _wait_label(wait: timedelta | None) -> str:
    if wait is None:
        return "unknown"
    labels = (_at_most(hours) for hours in WAIT_HOURS if wait <= timedelta(hours=hours))
    return next(labels, "longer")


def _at_most(hours: int) -> str:
    return f"≤ {hours} h"


def _group_row(group: SpendingGroup) -> list[str]:
    receipt = group.receipt
    amounts = (receipt.usd_standard, receipt.saved_usd, group.usd_estimated)
    paid = format_paid(receipt.usd, group.unknown)
    return [group.name, paid, *map(dollars, amounts), f"{receipt.requests:,}"]
