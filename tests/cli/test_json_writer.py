import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from claude_batch.cli.output.json_writer import write_json


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0"),
        ("0.00", "0"),
        ("1.10", "1.1"),
        ("100", "100"),
        ("1E+3", "1000"),
        ("0.1000000000000000000000000000000001", "0.1000000000000000000000000000000001"),
        ("1E-9", "0.000000001"),
        ("-0.05", "-0.05"),
    ],
)
def test_money_is_written_digit_for_digit(amount: str, text: str) -> None:
    assert write_json(Decimal(amount)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12))
def test_money_comes_back_as_it_was(amount: Decimal) -> None:
    assert json.loads(write_json({"usd": amount}), parse_float=Decimal)["usd"] == amount


def test_times_are_in_utc() -> None:
    noon = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert write_json(noon) == '"2026-11-22T12:00:00Z"'
    assert write_json(noon.astimezone(timezone(timedelta(hours=9)))) == '"2026-11-22T12:00:00Z"'


class Color(StrEnum):
    RED = "red"


class Inner(BaseModel):
    usd: Decimal
    color: Color


@dataclass(frozen=True)
class Outer:
    inner: Inner
    many: tuple[int, ...]
    missing: None = None


def test_a_whole_document() -> None:
    outer = Outer(Inner(usd=Decimal("0.10"), color=Color.RED), (1, 2))
    assert write_json({"a": outer, "empty": [], "none": {}, "yes": True, "said": 'ä "q"'}) == (
        "{\n"
        '  "a": {\n'
        '    "inner": {\n'
        '      "usd": 0.1,\n'
        '      "color": "red"\n'
        "    },\n"
        '    "many": [\n'
        "      1,\n"
        "      2\n"
        "    ],\n"
        '    "missing": null\n'
        "  },\n"
        '  "empty": [],\n'
        '  "none": {},\n'
        '  "yes": true,\n'
        '  "said": "\\u00e4 \\"q\\""\n'
        "}"
    )


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(NESTED)
def test_any_nesting_is_json(value: object) -> None:
    assert json.loads(write_json(value)) == value
