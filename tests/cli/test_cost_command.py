"""`claude-batch cost` as a process: its forms, its page, and the comparison with a report."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from program import Place, open_place

COLUMNS = (
    "date,model,service_tier,input_tokens,output_tokens,"
    "cache_read_input_tokens,cache_creation_input_tokens"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A pull request that was asked about, answered and paid for."""
    with open_place(tmp_path_factory.mktemp("cost")) as made:
        number = made.suspicious()
        made.run("submit", "--pr", str(number))
        made.run("collect", "--wait", "--no-submit")
        yield made


def reported(place: Place) -> dict[str, Any]:
    """What the service would say of the same tokens."""
    [day] = place.json("cost", "--by", "day")["groups"]
    [model] = place.json("cost", "--by", "model")["groups"]
    result = {
        "model": model["name"],
        "service_tier": "batch",
        "uncached_input_tokens": int(model["input_tokens"]),
        "output_tokens": int(model["output_tokens"]),
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    }
    bucket = {"starting_at": f"{day['name']}T00:00:00Z", "results": [result]}
    return {"data": [bucket], "has_more": False, "next_page": None}


def test_totals_say_where_the_month_leads_and_how_far_estimates_were(place: Place) -> None:
    totals = place.json("cost")["totals"]
    assert totals["month"]["usd"] == totals["usd"] > 0
    assert (totals["month"]["budget_usd"], totals["month"]["unknown"]) == (25, 0)
    assert set(totals["month"]) == {
        *("start", "end", "usd", "reserved_usd", "budget_usd", "forecast_usd", "previous_usd"),
        *("change_percent", "unknown"),
    }
    [one] = totals["estimates"]
    assert (one["kind"], one["usd"]) == ("review", totals["usd"])
    assert one["usd_estimated"] == totals["usd_estimated"]
    assert one["error_percent"] == round(100 * (one["usd_estimated"] - one["usd"]) / one["usd"])


def test_text_says_the_same(place: Place) -> None:
    told = place.run("cost", "--by", "kind").out
    assert told.startswith("kind")
    assert "(UTC): $0.0" in told
    assert " reserved for open batches, of $25.00 a month\n" in told
    assert "\nkind, model " in told


def test_the_page(place: Place, tmp_path: Path) -> None:
    ran = place.run("cost", "--format", "html", cwd=tmp_path, code=None)
    assert ran.code == 3  # no repository there
    ran = place.run("cost", "--format", "html", "-C", str(place.shop.work), cwd=tmp_path)
    assert (ran.out, ran.err) == ("page: claude-batch-cost.html\n", "")
    html = (tmp_path / "claude-batch-cost.html").read_text("utf-8")
    assert html.count("<svg") == 5
    assert "<script" not in html
    target = tmp_path / "other.html"
    place.run("cost", "--format", "html", "--by", "model", "--out", str(target))
    assert "<h2>By model</h2>" in target.read_text("utf-8")


def test_a_page_that_cannot_be_written(place: Place, tmp_path: Path) -> None:
    ran = place.run("cost", "--format", "html", "--out", str(tmp_path / "no/page.html"), code=3)
    assert ran.refusal()[1] == "name another place with --out"


@pytest.mark.parametrize(
    "flags", [("--out", "page.html"), ("--format", "html", "--reconcile", "usage.json")]
)
def test_flags_that_do_not_go_together(place: Place, flags: tuple[str, ...]) -> None:
    assert place.run("cost", *flags, code=2).refusal()


def test_a_report_that_agrees(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "usage.json"
    file.write_text(json.dumps(reported(place)))
    ran = place.run("cost", "--reconcile", str(file))
    assert ran.out == "1 of 1 row by day, model and tier agree\n"
    [row] = place.json("cost", "--reconcile", str(file))["differences"]
    assert row["agrees"] is True
    assert row["usd"] == Decimal(0)


def test_a_report_that_differs(place: Place, tmp_path: Path) -> None:
    report = reported(place)
    [bucket] = report["data"]
    [result] = bucket["results"]
    day = bucket["starting_at"][:10]
    rows = [
        f"{day},{result['model']},batch,{result['uncached_input_tokens'] + 2_000_000},"
        f"{result['output_tokens']},0,0",
        f"{day},{result['model']},standard,0,7,0,0",
    ]
    file = tmp_path / "usage.csv"
    file.write_text("\n".join([COLUMNS, *rows]))
    told = place.run("cost", "--reconcile", str(file)).out.splitlines()
    name = f"{day} {result['model']}"
    assert told == [
        "ledger less report" + 26 * " " + "input  output  cache read  cache write   dollars",
        f"{name} batch     -2,000,000       0           0            0    -$2.00",
        f"{name} standard           0      -7           0            0  -$0.0001",
        "0 of 2 rows by day, model and tier agree",
        "difference at list price: -$2.00",
    ]
    table = place.run("cost", "--reconcile", str(file), "--format", "csv").out
    assert len(table.splitlines()) == 3


def test_a_report_that_cannot_be_read(place: Place, tmp_path: Path) -> None:
    missing = place.run("cost", "--reconcile", str(tmp_path / "none.json"), code=3)
    assert missing.refusal()[1] == "name an exported usage report"
    other = tmp_path / "other.json"
    other.write_text("{}")
    assert (
        "is not a usage report: data: Field required"
        in (place.run("cost", "--reconcile", str(other), code=3).refusal()[0])
    )
