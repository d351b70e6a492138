import re
from dataclasses import replace
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from claude_batch.costs.pages.charts import Chart, Limit, Series, render_chart
from claude_batch.formatting import dollars

DAYS = ["2026-11-21", "2026-11-22", "2026-11-23"]


def plot(*values: str | None, limit: Limit | None = None, labels: list[str] = DAYS) -> Chart:
    amounts = [None if value is None else Decimal(value) for value in values]
    return Chart("Spend per day", labels, [Series("paid", amounts)], dollars, limit)


def marks(drawn: str, name: str) -> list[dict[str, str]]:
    """Every element of that name with its attributes and what it says under the pointer."""
    return [
        {**one.attrib, "says": one.findtext("title") or ""}
        for one in ElementTree.fromstring(drawn).iter(name)  # noqa: S314 - our own output
    ]


def test_a_plot_as_it_is_written() -> None:
    drawn = render_chart(plot("1", labels=["22 November"]))
    assert drawn.splitlines()[:2] == [
        '<svg viewBox="0 0 720 240" role="img" aria-label="Spend per day">',
        "<title>Spend per day</title>",
    ]
    assert drawn.splitlines()[-2:] == [
        '<rect class="s0" x="135.6" y="16.0" width="508.8" height="192.0">'
        "<title>22 November, paid: $1.00</title></rect>",
        "</svg>",
    ]


def test_bars_are_as_high_as_their_amounts() -> None:
    found = marks(render_chart(plot("4", "1", "0")), "rect")
    assert [one["height"] for one in found] == ["192.0", "48.0", "0.0"]
    assert [one["says"] for one in found] == [
        "2026-11-21, paid: $4.00",
        "2026-11-22, paid: $1.00",
        "2026-11-23, paid: $0.00",
    ]


def test_what_cost_more_than_it_saved_hangs_below_zero() -> None:
    up, down, _ = marks(render_chart(plot("3", "-1", "0")), "rect")
    assert float(up["y"]) + float(up["height"]) == float(down["y"]) == 160
    assert down["height"] == "48.0"


def test_unknown_is_a_word_and_no_bar() -> None:
    drawn = render_chart(plot("1", None, "0"))
    assert len(marks(drawn, "rect")) == 2
    [mark] = [one for one in marks(drawn, "text") if one["says"]]
    assert mark["says"] == "2026-11-22, paid: unknown"
    assert ">?<title>" in drawn


@pytest.mark.parametrize(("limit", "drawn"), [("2", 1), ("4", 1), ("100", 0)])
def test_a_limit_that_would_flatten_all_is_not_drawn(limit: str, drawn: int) -> None:
    found = render_chart(plot("1", "1", "1", limit=Limit("budget of a day", Decimal(limit))))
    limits = [one for one in marks(found, "line") if one["class"] == "limit"]
    assert [one["says"] for one in limits] == [f"budget of a day: ${limit}.00"] * drawn


def test_a_line_has_a_gap_where_nothing_is_known() -> None:
    values = ("0.5", "1", None, "1", "0.5")
    drawn = render_chart(replace(plot(*values, labels=list("abcde")), is_line=True))
    assert len(marks(drawn, "circle")) == 4
    joined = [one for one in marks(drawn, "line") if one["class"] == "s0"]
    assert [(one["y1"], one["y2"]) for one in joined] == [("112.0", "16.0"), ("16.0", "112.0")]


@pytest.mark.parametrize(
    ("values", "counts", "scale"),
    [
        (["1.77", "0.3"], False, ["$0.00", "$0.50", "$1.00", "$1.50", "$2.00"]),
        (["3", "-1"], False, ["-$1.00", "$0.00", "$1.00", "$2.00", "$3.00"]),
        (["-2"], False, ["-$2.00", "-$1.50", "-$1.00", "-$0.50", "$0.00"]),
        (["0"], False, ["$0.00", "$0.25"]),
        (["0.012"], False, ["$0.00", "$0.0050", "$0.0100", "$0.0150"]),
        (["2"], True, ["$0.00", "$1.00", "$2.00"]),
    ],
)
def test_the_scale_is_of_round_amounts(values: list[str], counts: bool, scale: list[str]) -> None:
    drawn = render_chart(replace(plot(*values, labels=DAYS[: len(values)]), is_count=counts))
    assert re.findall(r'end">([^<]*)<', drawn) == scale


def test_series_stand_side_by_side() -> None:
    two = Chart(
        "Estimate against actual",
        ["review"],
        [Series("estimated", [Decimal(2)]), Series("paid", [Decimal(1)])],
        dollars,
    )
    first, second = marks(render_chart(two), "rect")
    assert float(first["x"]) + float(first["width"]) == pytest.approx(float(second["x"]))
    assert (first["class"], second["class"]) == ("s0", "s1")


def test_labels_never_run_into_each_other() -> None:
    names = [f"{'long name ' * 9}{number}" for number in range(45)]
    drawn = render_chart(plot(*["1"] * 45, labels=names))
    labels = [text for text in re.findall(r'middle">([^<]*)<', drawn) if text]
    assert len(labels) == 8
    assert all(len(label) <= 12 for label in labels)


def test_names_are_text() -> None:
    drawn = render_chart(plot("1", labels=["<script>alert('1')</script>"]))
    assert "<script" not in drawn
    assert marks(drawn, "rect")[0]["says"] == "<script>alert('1')</script>, paid: $1.00"


def test_nothing_at_all_is_an_empty_frame() -> None:
    for is_line in (False, True):
        assert marks(render_chart(replace(plot(labels=[]), is_line=is_line)), "rect") == []
        chart = replace(plot("0", labels=["a"]), is_line=is_line)
        assert len(marks(render_chart(chart), "text")) == 3
