from datetime import UTC, datetime
from decimal import Decimal

from claude_batch.anthropic_api.results import Outcome
from claude_batch.costs.entries import list_cost_entries
from claude_batch.costs.forecast import MonthForecast, describe_month, forecast_month
from claude_batch.costs.spending import EstimateAccuracy, measure_accuracy
from claude_batch.ledger.view import LedgerState
from ledger_events import answered, asked, at, failed, intent, settled

BUDGET = Decimal(25)
NOV_16 = datetime(2026, 11, 16, tzinfo=UTC)  # half of the month is over
DAY = 60 * 24


def paid(name: str, day: float, usd: str) -> list:
    """An answer so many days after 22 November."""
    return [
        intent(name, day * DAY),
        asked(name, 0, name, minute=day * DAY),
        answered(name, minute=day * DAY, usd=Decimal(usd)),
    ]


def test_a_line_through_what_was_paid() -> None:
    view = LedgerState.from_events(
        [
            *paid("october, late", -25, "8.00"),  # 28 October: past the same part of that month
            *paid("october, early", -45, "2.00"),  # 8 October
            *paid("november", -10, "3.00"),  # 12 November
            intent("open", -7 * DAY),
            asked("open", 0, "t", minute=-7 * DAY),
        ]
    )
    found = forecast_month([view], NOV_16, BUDGET)
    assert (found.start.isoformat(), found.end.isoformat()) == (
        "2026-11-01T00:00:00+00:00",
        "2026-12-01T00:00:00+00:00",
    )
    assert (found.usd, found.forecast_usd) == (Decimal("3.00"), Decimal("6.0000"))
    assert found.previous_usd == Decimal("2.00")
    assert (found.reserved_usd, found.budget_usd) == (Decimal("0.05"), BUDGET)


def told(**more: object) -> list[str]:
    given = {
        "start": datetime(2026, 11, 1, tzinfo=UTC),
        "end": datetime(2026, 12, 1, tzinfo=UTC),
        "usd": Decimal("3"),
        "reserved_usd": Decimal("0.05"),
        "unknown": 0,
        "previous_usd": None,
        "forecast_usd": None,
        "budget_usd": None,
    }
    return describe_month(MonthForecast(**(given | more)))


def test_a_month_in_words() -> None:
    assert told() == [
        "November 2026 (UTC): $3.00 paid, $0.0500 reserved for open batches",
        "it is too early in the month for a forecast",
    ]
    assert told(
        unknown=2,
        previous_usd=Decimal(2),
        forecast_usd=Decimal(30),
        budget_usd=BUDGET,
    ) == [
        "November 2026 (UTC): $3.00 paid, $0.0500 reserved for open batches, of $25.00 a month",
        "at this pace $30.00 by the end of the month, $5.00 over the budget",
        "the same part of October: $2.00 (+50 %)",
        "answers of unknown price, in none of these figures: 2",
    ]
    assert told(previous_usd=Decimal(0), forecast_usd=Decimal(6))[1:] == [
        "at this pace $6.00 by the end of the month",
        "the same part of October: $0.00",
    ]


def test_nothing_is_foretold_on_the_first_day() -> None:
    view = LedgerState.from_events(paid("today", -20.9, "1.00"))  # 1 November, 12:24
    found = forecast_month([view], datetime(2026, 11, 1, 23, tzinfo=UTC), None)
    assert (found.usd, found.forecast_usd, found.previous_usd) == (Decimal("1.00"), None, None)


def test_a_month_counts_what_it_does_not_know() -> None:
    unpriced = [intent("i"), asked("i", 0, "t"), answered("i", usd=None, usd_standard=None)]
    found = forecast_month([LedgerState.from_events(unpriced)], at(DAY), BUDGET)
    assert (found.usd, found.unknown, found.reserved_usd) == (Decimal(0), 1, Decimal(0))


def test_an_empty_ledger() -> None:
    found = forecast_month([], NOV_16, BUDGET)
    assert (found.usd, found.forecast_usd, found.previous_usd) == (0, 0, None)


def test_the_error_of_estimates_by_kind_and_model() -> None:
    view = LedgerState.from_events(
        [
            *paid("a", 0, "0.02"),
            *paid("b", 0, "0.02"),
            settled("c", 0, "t", kind="docs", usd=Decimal("0.008")),
            settled("free", 0, "t", kind="tests", usd=Decimal(0)),
            intent("bad", requests=2),
            asked("bad", 0, "u"),
            asked("bad", 1, "v"),
            answered("bad", 0, usd=None, usd_standard=None),  # unknown: no error can be told
            failed("bad", 1, outcome=Outcome.ERRORED),  # not billed
        ]
    )
    model = "claude-sonnet-5-5"
    found = measure_accuracy(list_cost_entries([view]))
    assert found == (
        EstimateAccuracy("docs", model, 1, Decimal("0.01"), Decimal("0.008")),
        EstimateAccuracy("review", model, 2, Decimal("0.02"), Decimal("0.04")),
        EstimateAccuracy("tests", model, 1, Decimal("0.01"), Decimal(0)),
    )
    assert [one.error_percent for one in found] == [25, -50, None]


def test_the_wait_for_an_answer_and_a_clock_that_went_backwards() -> None:
    view = LedgerState.from_events(
        [
            *paid("a", 0, "0.02"),
            intent("b", 30),
            asked("b", 0, "t"),
            answered("b", minute=10),
            settled("c", 0, "t"),
        ]
    )
    waits = {entry.request.intent: entry.wait for entry in list_cost_entries([view])}
    assert waits == {"a": at(0) - at(0), "b": None, "c": None}
