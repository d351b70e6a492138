import json

import pytest

from claude_batch.sandbox.anthropic_server.reviewer import review

DATACLASS = ("1+@dataclass(frozen=True)", "2+class Coupon:", "3+    code: str")
REDEEM = ("4+def redeem(total, coupon: Coupon | None):", "5+    if coupon == None:")
BY_VALUE = "Comparison with None by value"
TRACE = "A trace of debugging was left"


def verdict(path: str, title: str, row: int, *rows: str) -> dict[str, str]:
    """What the sandbox says of a claim about one row, asked as a second look asks."""
    said = [
        f'<file path="{path}">',
        "@@",
        *rows,
        "</file>",
        f'<claim id="0011aabb" rows="{row}-{row}" kind="review" severity="low">',
        f"> {title}",
        "> Why it is wrong.",
        "</claim>",
    ]
    schema = {"type": "object", "properties": {"verdicts": {"type": "array"}}}
    reply = review(
        {
            "messages": [{"role": "user", "content": "\n".join(said)}],
            "output_config": {"format": {"type": "json_schema", "schema": schema}},
        }
    )
    (one,) = json.loads(reply.text)["verdicts"]
    assert one["claim"] == "0011aabb"
    assert one["reason"]
    return one


@pytest.mark.parametrize(
    ("path", "title", "row", "rows"),
    [
        ("shop.py", BY_VALUE, 5, (*DATACLASS, *REDEEM)),
        ("shop.py", BY_VALUE, 5, ("|@dataclass", "|class Coupon:", *REDEEM)),
        ("scripts/seed.js", TRACE, 1, ("1+console.log(1)",)),
        ("web/tests/basket.js", TRACE, 1, ("1+console.log(1)",)),
    ],
)
def test_refuted(path, title, row, rows):
    assert verdict(path, title, row, *rows)["verdict"] == "refuted"


@pytest.mark.parametrize(
    ("path", "title", "row", "rows"),
    [
        ("shop.py", BY_VALUE, 5, REDEEM),
        ("shop.py", BY_VALUE, 5, (*DATACLASS, *REDEEM, "6     def __eq__(self, other):")),
        ("shop.py", BY_VALUE, 1, ("1+    if coupon == None:",)),
        ("web/basket.js", TRACE, 1, ("1+console.log(1)",)),
        ("shop.py", "A secret in the code", 1, ("1+TOKEN = 'x1'",)),
        ("shop.py", BY_VALUE, 9, ("1+nothing",)),
    ],
)
def test_upheld(path, title, row, rows):
    assert verdict(path, title, row, *rows)["verdict"] == "holds"
