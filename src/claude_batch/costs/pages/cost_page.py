"""What was spent, as one HTML file: no script, nothing fetched, works offline.

Names come from a ledger that others write, too: all are escaped, and the policy in the head would
stop whatever got past that.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from html import escape
from importlib import resources

from claude_batch.config.model import Budget
from claude_batch.costs.pages.charts import Amount, Limit, Chart, Series, render_bar_chart, render_line_chart
from claude_batch.costs.entries import CostEntry
from claude_batch.costs.forecast import MonthForecast, describe_month
from claude_batch.costs.receipts import ZERO, Receipt
from claude_batch.costs.spending import SpendingGroup, SpendingReport, measure_accuracy, format_paid
from claude_batch.formatting import dollars

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
DAYS = 90  # more bars would be thinner than a pixel on a phone
WAITS = (1, 3, 6, 12, 24)  # hours
HEADS = ("paid", "standard", "saved", "estimated", "requests")


def render_cost_page(
    found: SpendingReport,
    daily: SpendingReport,
    rows: Sequence[CostEntry],
    running: MonthForecast,
    budget: Budget,
    now: datetime,
) -> str:
    """`found` is the table, in whatever groups; `daily` and `rows` are what is drawn."""
    style = resources.files("claude_batch").joinpath("costs", "page.css").read_text("utf-8")
    said = "".join(f"<p>{escape(one)}</p>\n" for one in describe_month(running))
    since = "" if found.since is None else f" since {found.since:%Y-%m-%d}"
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>What claude-batch cost</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>What claude-batch cost{since}</h1>
<p class="quiet">As of {now:%Y-%m-%d %H:%M} UTC, from the ledger. Days and months are UTC.</p>
{said}{"".join(_sections(daily, rows, running, budget))}<section>
<h2>By {escape(found.group_by.replace("_", " "))}</h2>
{_groups(found)}</section>
</main>
</body>
</html>
"""


def _sections(
    daily: SpendingReport, rows: Sequence[CostEntry], running: MonthForecast, budget: Budget
) -> Iterable[str]:
    if not daily.groups:
        yield '<section class="quiet">Nothing was paid yet.</section>\n'
        return
    named = _every_day(daily)
    yield _section(render_bar_chart, _spend(named, running, budget), "A ? is a day of which no price is known.")
    yield _section(render_bar_chart, _saved(daily.total.receipt), "Below zero, it cost more than it saved.")
    yield _section(render_bar_chart, _estimates(rows), "Of requests that were billed at a known price.")
    yield _section(render_line_chart, _hits(named), "Share of prompt tokens that were read from a cache.")
    yield _section(
        render_bar_chart,
        _waits(rows),
        "Requests, from the creation of their batch to the record of their answer. Unknown: folded "
        "in the ledger, or a clock went backwards.",
    )


def _every_day(daily: SpendingReport) -> dict[str, SpendingGroup | None]:
    """The last 90 days from the first with an answer to the last, those without included."""
    groups = {group.name: group for group in daily.groups}
    last = date.fromisoformat(max(groups))
    span = min((last - date.fromisoformat(min(groups))).days + 1, DAYS)
    days = [(last - timedelta(days=back)).isoformat() for back in reversed(range(span))]
    return {day: groups.get(day) for day in days}


def _spend(named: dict[str, SpendingGroup | None], running: MonthForecast, budget: Budget) -> Chart:
    values = [ZERO if group is None else _paid(group) for group in named.values()]
    limit = None
    if budget.day is not None:
        limit = Limit("budget of a day", budget.day)
    elif budget.month is not None:
        days = (running.end - running.start).days
        limit = Limit("budget of the month, spread over its days", budget.month / days)
    return Chart("Spend per day", list(named), [Series("paid", values)], dollars, limit)


def _paid(group: SpendingGroup) -> Amount:
    return None if group.unknown and not group.receipt.usd else group.receipt.usd


def _saved(found: Receipt) -> Chart:
    causes = {
        "batch": found.saved_by_batch,
        "cache": found.saved_by_cache,
        "dedupe": found.saved_by_dedupe,
    }
    return Chart("Saved by cause", list(causes), [Series("saved", list(causes.values()))], dollars)


def _estimates(rows: Sequence[CostEntry]) -> Chart:
    found = measure_accuracy(rows)
    return Chart(
        "Estimate against actual",
        [f"{one.kind}, {one.model}" for one in found],
        [
            Series("estimated", [one.usd_estimated for one in found]),
            Series("paid", [one.usd for one in found]),
        ],
        dollars,
    )


def _hits(named: dict[str, SpendingGroup | None]) -> Chart:
    values = [None if group is None else _hit_rate(group.receipt) for group in named.values()]
    return Chart("Cache hit rate", list(named), [Series("hit rate", values)], _percent)


def _hit_rate(found: Receipt) -> Amount:
    prompt = found.input_tokens + found.cache_read_tokens + found.cache_write_tokens
    return Decimal(found.cache_read_tokens) / prompt if prompt else None


def _waits(rows: Sequence[CostEntry]) -> Chart:
    tally = dict.fromkeys([*(f"≤ {hours} h" for hours in WAITS), "longer", "unknown"], 0)
    for row in rows:
        tally[_wait(row)] += 1
    series = Series("requests", [Decimal(number) for number in tally.values()])
    return Chart("Time from submit to answer", list(tally), [series], _number, is_count=True)


def _wait(row: CostEntry) -> str:
    if row.wait is None:
        return "unknown"
    waited = row.wait
    return next((f"≤ {hours} h" for hours in WAITS if waited <= timedelta(hours=hours)), "longer")


def _section(draw: Callable[[Chart], str], plot: Chart, note: str) -> str:
    keys = [
        f'<span class="key s{n}">{escape(one.name)}</span>' for n, one in enumerate(plot.series)
    ]
    if plot.limit:
        said = f"{plot.limit.name}: {plot.format(plot.limit.value)}"
        keys.append(f'<span class="key limit">{escape(said)}</span>')
    return f"""\
<section>
<h2>{escape(plot.title)}</h2>
<p class="quiet">{escape(note)}</p>
<p>{"".join(keys)}</p>
<div class="scroll">
{draw(plot)}
</div>
<details><summary>Figures</summary>
{_figures(plot)}</details>
</section>
"""


def _figures(plot: Chart) -> str:
    rows = [
        [label, *(_shown(plot, one.values[at]) for one in plot.series)]
        for at, label in enumerate(plot.labels)
    ]
    return _table(["", *(one.name for one in plot.series)], rows)


def _shown(plot: Chart, value: Amount) -> str:
    return "unknown" if value is None else plot.format(value)


def _groups(found: SpendingReport) -> str:
    rows = []
    for group in (*found.groups, found.total):
        paid = group.receipt
        money = (paid.usd_standard, paid.saved_usd, group.usd_estimated)
        figures = (format_paid(paid.usd, group.unknown), *map(dollars, money), f"{paid.requests:,}")
        rows.append([group.name, *figures])
    return _table([found.group_by.replace("_", " "), *HEADS], rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"]
    lines += [
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    ]
    return '<div class="scroll"><table>\n' + "\n".join(lines) + "\n</table></div>\n"


def _percent(share: Decimal) -> str:
    return f"{share:.0%}"


def _number(count: Decimal) -> str:
    return f"{count:,.0f}"
