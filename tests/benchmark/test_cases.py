"""Scores of replayed pull requests, by place alone."""

import json
from decimal import Decimal

import pytest

from claude_batch.anthropic_api.results import Usage
from claude_batch.benchmark.cases import (
    BenchmarkCase,
    ExpectedComment,
    ReplayedCase,
    parse_cases,
    score_replays,
)
from claude_batch.diff.model import Side
from claude_batch.errors import BadUsage
from claude_batch.findings.placement import PlacedFinding
from responses import finding

URL = "https://github.com/octo/shop/pull/7"


def placed(first: int, last: int, path: str = "a.py", side: Side = Side.RIGHT) -> PlacedFinding:
    return PlacedFinding(finding(), path, side, first, last)


def case(*comments: dict[str, object]) -> BenchmarkCase:
    row = {"githubPrUrl": URL, "target_commit": "a" * 40, "source_commit": "b" * 40}
    return parse_cases("cases.json", json.dumps([{**row, "comments": comments}]).encode())[0]


def replay(
    known: BenchmarkCase, *inline: PlacedFinding, said: int | None = None, missing: int = 0
) -> ReplayedCase:
    usage = Usage(input=1_000, output=100)
    count = len(inline) if said is None else said
    return ReplayedCase(known, count, inline, inline, usage, Decimal("0.0015"), missing)


def test_a_case_in_the_form_of_aacr_bench():
    known = case(
        {
            "path": "a.py",
            "side": "right",
            "from_line": 3,
            "to_line": 5,
            "note": "n",
            "category": "c",
        }
    )
    assert known.repository == "octo/shop"
    assert known.comments == (
        ExpectedComment(path="a.py", side=Side.RIGHT, from_line=3, to_line=5),
    )


@pytest.mark.parametrize(
    ("one", "hit"),
    [
        (placed(5, 9), True),
        (placed(1, 3), True),
        (placed(4, 4), True),
        (placed(6, 9), False),
        (placed(1, 2), False),
        (placed(4, 4, path="b.py"), False),
        (placed(4, 4, side=Side.LEFT), False),
    ],
)
def test_a_hit_is_the_same_file_and_side_and_lines_that_overlap(one, hit):
    golden = ExpectedComment(path="a.py", from_line=3, to_line=5)
    assert golden.is_matched_by(one) is hit


def test_a_comment_on_the_whole_file_is_hit_by_nothing():
    assert not ExpectedComment(path="a.py").is_matched_by(placed(1, 1))


def test_precision_and_recall_count_different_things():
    known = case({"path": "a.py", "from_line": 1, "to_line": 9}, {"path": "a.py", "from_line": 50})
    found = score_replays(
        [replay(known, placed(1, 1), placed(9, 9), placed(30, 30), said=4, missing=2)]
    )
    assert (found.matching_comments, found.matched_expectations) == (2, 1)
    assert found.precision == 2 / 3
    assert found.recall == 1 / 2
    assert found.placement == 3 / 4
    assert found.comments_per_pull_request == 3
    assert (found.input_tokens, found.output_tokens) == (1_000, 100)
    assert (found.usd, found.missing_answers) == (Decimal("0.0015"), 2)


def test_a_pull_request_without_any_answer_is_not_scored():
    silent = ReplayedCase(case(), 0, (), (), Usage(), Decimal(0), 3)
    found = score_replays([silent])
    assert (found.pull_requests, found.missing_answers) == (0, 3)
    assert found.precision is found.recall is found.placement is None


@pytest.mark.parametrize("text", ["{", "{}", '[{"githubPrUrl": 3}]', '[{"target_commit": "main"}]'])
def test_what_is_no_set_of_cases_is_said_in_two_sentences(text):
    with pytest.raises(BadUsage, match=r"cases\.json does not hold cases") as caught:
        parse_cases("cases.json", text.encode())
    assert "AACR-Bench" in caught.value.remedy
