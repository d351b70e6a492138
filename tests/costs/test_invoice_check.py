import json
from datetime import date
from decimal import Decimal

import pytest

from claude_batch.anthropic_api.results import Outcome, Usage
from claude_batch.costs.entries import list_cost_entries
from claude_batch.costs.invoice_check import InvoiceCheck, check_invoice, render_invoice_csv
from claude_batch.costs.prices import Prices
from claude_batch.costs.usage_report import parse_usage_report
from claude_batch.errors import CannotRead
from claude_batch.ledger.view import LedgerState
from ledger_events import answered, asked, failed, intent

HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"
PRICES = Prices.load()
CSV_HEAD = (
    "date,model,service_tier,input_tokens,output_tokens,"
    "cache_read_input_tokens,cache_creation_input_tokens\n"
)
DAY = 60 * 24


def result(model: str = SONNET, tier: str | None = "batch", **more: object) -> dict:
    given = {
        "uncached_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "server_tool_use": {"web_search_requests": 0},
        "workspace_id": None,
    }
    return {"model": model, "service_tier": tier, **given, **more}


def document(*results: dict, day: str = "2026-11-22", **more: object) -> bytes:
    bucket = {
        "starting_at": f"{day}T00:00:00Z",
        "ending_at": f"{day}T23:59:59Z",
        "results": list(results),
    }
    return json.dumps({"data": [bucket], "has_more": False, "next_page": None, **more}).encode()


def ledger() -> LedgerState:
    return LedgerState.from_events(
        [
            intent("i1", requests=4),
            *(asked("i1", n, f"t{n}") for n in range(4)),
            answered("i1", 0, usage=Usage(input=1_000_000, output=200_000)),
            answered("i1", 1, usage=Usage(input=500, cache_read=70, cache_write_1h=30)),
            answered("i1", 2, minute=DAY),  # the next day
            failed("i1", 3, outcome=Outcome.UNREADABLE),
        ]
    )


def compared(data: bytes) -> InvoiceCheck:
    return check_invoice(list_cost_entries([ledger()]), parse_usage_report("usage", data), PRICES)


def test_a_report_that_says_the_same() -> None:
    parts = [
        result(uncached_input_tokens=1_000_000, output_tokens=200_000, workspace_id="a"),
        result(
            uncached_input_tokens=500,
            cache_read_input_tokens=70,
            cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 30},
            workspace_id="b",
        ),
    ]
    found = compared(document(*parts))
    [row] = found.differences
    assert row.agrees
    assert (found.usd, found.outside, found.without_tokens, found.has_more) == (
        Decimal(0),
        1,
        1,
        False,
    )


def test_what_differs_by_day_model_and_tier() -> None:
    found = compared(
        document(
            result(
                uncached_input_tokens=2_000_500,
                output_tokens=100_000,
                cache_read_input_tokens=70,
                cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 30},
            ),
            result(HAIKU, "standard", uncached_input_tokens=1_000_000),
            result("claude-next", "priority", output_tokens=1),
            has_more=True,
        )
    )
    assert [
        (row.day, row.model, row.tier, row.token_differences(), row.usd)
        for row in found.differences
    ] == [
        (
            "2026-11-22",
            HAIKU,
            "standard",
            {"input": -1_000_000, "output": 0, "cache_read": 0, "cache_write": 0},
            Decimal("-0.10"),
        ),
        (
            "2026-11-22",
            "claude-next",
            "priority",
            {"input": 0, "output": -1, "cache_read": 0, "cache_write": 0},
            None,
        ),
        (
            "2026-11-22",
            SONNET,
            "batch",
            {"input": -1_000_000, "output": 100_000, "cache_read": 0, "cache_write": 0},
            Decimal("-0.5"),  # a million in for 1, a tenth of a million out for 0.5
        ),
    ]
    assert (found.usd, found.has_more) == (None, True)  # claude-next has no price


def test_csv_in_and_out() -> None:
    rows = (
        f"2026-11-22,{SONNET},batch,1000000,200000,0,0\n2026-11-22,{SONNET},batch,500,0,70,30\n"
        f"2026-11-23,{SONNET},batch,100,39,0,0\n"
    )
    found = compared(("\ufeff" + CSV_HEAD + rows).encode())
    assert render_invoice_csv(found) == (
        "date,model,service_tier,ledger_input,report_input,ledger_output,report_output,"
        "ledger_cache_read,report_cache_read,ledger_cache_write,report_cache_write,"
        "usd_beyond_report\n"
        # Two prices for writing to a cache, and the CSV does not say which.
        f"2026-11-22,{SONNET},batch,1000500,1000500,200000,200000,70,70,30,30,unknown\n"
        f"2026-11-23,{SONNET},batch,100,100,40,39,0,0,0,0,0.000005000\n"
    )
    assert found.differences[0].agrees
    assert found.outside == 0


def test_an_empty_bucket_covers_its_day() -> None:
    [row] = compared(document()).differences
    assert (row.model, row.report.input) == (SONNET, 0)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\xff\xfe", "usage is not UTF-8"),
        (b"", "usage is neither the JSON of a usage report nor CSV with a column 'date'"),
        (b"day,model\n", "usage is neither the JSON of a usage report nor CSV with a column"),
        (b'{"data": [', "usage is not a usage report: Invalid JSON"),
        (b'{"items": []}', "usage is not a usage report: data: Field required"),
        (
            document(result(tier=None)),
            "usage is not a usage report: data.0.results.0.service_tier: Input should be",
        ),
        (
            document(result(output_tokens=-1)),
            "usage is not a usage report: data.0.results.0.output_tokens: Input should be greater",
        ),
        (
            (CSV_HEAD + f"2026-11-31,{SONNET},batch,1,1,0,0\n").encode(),
            "usage is not a usage report: date: Input should be a valid date",
        ),
        (
            (CSV_HEAD + f"2026-11-22,{SONNET},batch,1\n").encode(),
            "usage is not a usage report: output_tokens: Input should be a valid integer",
        ),
        (CSV_HEAD.encode() + b"x" * 200_000, "usage is not CSV: field larger than field limit"),
    ],
)
def test_what_is_no_report(data: bytes, problem: str) -> None:
    with pytest.raises(CannotRead) as raised:
        parse_usage_report("usage", data)
    assert raised.value.problem.startswith(problem)
    assert raised.value.remedy


def test_prices_are_those_of_the_day() -> None:
    """The figures above lean on these."""
    assert PRICES.rates(SONNET, at=date(2026, 11, 22), prompt_tokens=0).input == 2
    assert PRICES.rates(HAIKU, at=date(2026, 11, 22), prompt_tokens=0).input == Decimal("0.10")
