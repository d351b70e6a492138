import re
from datetime import UTC, datetime
from decimal import Decimal
from xml.etree import ElementTree

from claude_batch.anthropic_api.results import Usage
from claude_batch.config.model import Budget
from claude_batch.costs.entries import list_cost_entries
from claude_batch.costs.forecast import forecast_month
from claude_batch.costs.pages.cost_page import render_cost_page
from claude_batch.costs.spending import build_spending_report
from claude_batch.ledger.events import AnyEvent
from claude_batch.ledger.view import LedgerState
from ledger_events import answered, asked, at, intent, settled, submitted

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = 60 * 24


def written(*events: AnyEvent, budget: Budget | None = None) -> str:
    views = [LedgerState.from_events(events)]
    budget = budget or Budget()
    return render_cost_page(
        build_spending_report(views, "kind", None),
        build_spending_report(views, "day", None),
        list_cost_entries(views),
        forecast_month(views, NOW, budget.month),
        budget,
        NOW,
    )


def request(name: str, minute: float, **more: object) -> list[AnyEvent]:
    """Answered at that minute; sent a minute after the start."""
    return [
        intent(name),
        submitted(name),
        asked(name, 0, name),
        answered(name, minute=minute, **more),
    ]


TWO_DAYS = [
    *request("a", 31, usage=Usage(input=40, cache_read=60)),
    *request("b", 2 * DAY),
    settled("c", 0, "t", kind="docs", usd=None, usd_standard=None),
]


def figures(html: str, title: str) -> list[list[str]]:
    """The cells of the table under a plot or a heading."""
    part = html.partition(f"<h2>{title}</h2>")[2].partition("</section>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", part)[1:]
    return [re.findall(r"<td>(.*?)</td>", row) for row in rows]


def test_each_plot_has_its_figures() -> None:
    html = written(*TWO_DAYS)
    assert figures(html, "Spend per day") == [
        ["2026-11-22", "$0.0200"],
        ["2026-11-23", "$0.00"],
        ["2026-11-24", "$0.0200"],
    ]
    assert figures(html, "Saved by cause") == [
        ["batch", "$0.0400"],
        ["cache", "$0.00"],
        ["dedupe", "$0.00"],
    ]
    assert figures(html, "Estimate against actual") == [
        ["review, claude-sonnet-5-5", "$0.0200", "$0.0400"]
    ]
    assert figures(html, "Cache hit rate") == [
        ["2026-11-22", "30%"],  # 60 of 200, the unpriced answer's tokens included
        ["2026-11-23", "unknown"],
        ["2026-11-24", "0%"],
    ]
    assert figures(html, "Time from submit to answer") == [
        ["≤ 1 h", "1"],
        ["≤ 3 h", "0"],
        ["≤ 6 h", "0"],
        ["≤ 12 h", "0"],
        ["≤ 24 h", "0"],
        ["longer", "1"],
        ["unknown", "1"],  # folded
    ]
    assert figures(html, "By kind") == [
        ["docs", "unknown", "$0.00", "$0.00", "$0.0100", "1"],
        ["review", "$0.0400", "$0.0800", "$0.0400", "$0.0200", "2"],
        ["total", "$0.0400 + unknown", "$0.0800", "$0.0400", "$0.0300", "3"],
    ]
    assert "answers of unknown price, in none of these figures: 1" in html


def test_a_day_of_which_no_price_is_known_is_no_zero() -> None:
    html = written(*request("a", 31, usd=None, usd_standard=None))
    assert figures(html, "Spend per day") == [["2026-11-22", "unknown"]]


def test_a_clock_that_went_backwards_is_an_unknown_wait() -> None:
    html = written(*request("a", -5))
    assert figures(html, "Time from submit to answer")[-1] == ["unknown", "1"]


def test_the_budget_stands_beside_the_spending() -> None:
    assert "budget of the month, spread over its days: $0.83" in written(*TWO_DAYS)
    day = Budget(day=Decimal("0.05"))
    assert 'class="limit" x1=' in written(*TWO_DAYS, budget=day)
    assert "budget of a day: $0.0500" in written(*TWO_DAYS, budget=day)
    assert "key limit" not in written(*TWO_DAYS, budget=Budget(month=None))


def test_a_long_history_is_drawn_for_its_last_ninety_days() -> None:
    html = written(*request("a", -200 * DAY), *request("b", 0))
    days = figures(html, "Spend per day")
    assert (len(days), days[0][0], days[-1][0]) == (90, "2026-08-25", "2026-11-22")


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    html = written(*TWO_DAYS)
    assert "<script" not in html
    assert not re.search(r"(?i)\b(?:src|href)=|url\(|@import|https?:", html)
    assert "default-src 'none'" in html
    assert "prefers-color-scheme: dark" in html
    drawn = re.findall(r"(?s)<svg.*?</svg>", html)
    assert len(drawn) == 5
    for svg in drawn:
        ElementTree.fromstring(svg)  # noqa: S314 - our own output


def test_names_from_the_ledger_are_text() -> None:
    nasty = "<img src=x onerror=alert(1)>"
    html = written(intent("i"), asked("i", 0, "t", kind=nasty), answered("i", model=nasty))
    assert "<img" not in html
    assert "&lt;img" in html


def test_an_empty_ledger_is_a_page_too() -> None:
    html = written()
    assert "Nothing was paid yet." in html
    assert "<svg" not in html


def test_the_first_day_of_a_period_is_in_the_title() -> None:
    views = [LedgerState.from_events(TWO_DAYS)]
    found = build_spending_report(views, "day", at(0))
    html = render_cost_page(found, found, [], forecast_month(views, NOW, None), Budget(), NOW)
    assert "<h1>What claude-batch cost since 2026-11-22</h1>" in html
