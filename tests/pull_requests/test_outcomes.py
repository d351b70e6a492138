from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from claude_batch.cli.commands.findings import precision_table
from claude_batch.findings.finding import Severity
from claude_batch.ledger.events import FeedbackRecorded, Post
from claude_batch.pull_requests.outcomes import Precision, compute_precision, final_outcome
from responses import finding

STAMP: dict[str, Any] = {"at": datetime(2026, 11, 22, tzinfo=UTC), "run": "r", "repo": "o/r"}


def signal(what: Any) -> FeedbackRecorded:
    return FeedbackRecorded(**STAMP, pr=7, fingerprint="f" * 16, what=what)


def post(state: Any) -> Post:
    key = "f" * 16
    return Post(**STAMP, pr=7, what="comment", key=key, remote_id=1, sha="", head="h", state=state)


@pytest.mark.parametrize(
    ("signals", "state", "word"),
    [
        ([], None, None),
        ([], "posted", "posted"),
        ([], "resolved", "fixed"),
        (["resolved"], "posted", "resolved"),
        (["resolved", "applied"], "resolved", "applied"),
        (["thumbs_down", "resolved"], "posted", "thumbs_down"),
        (["thumbs_down", "thumbs_up"], "posted", "thumbs_up"),
        (["wontfix"], "resolved", "wontfix"),
    ],
)
def test_what_became_of_a_finding(signals: list[str], state: str | None, word: str | None) -> None:
    posts = [] if state is None else [post(state)]
    assert final_outcome([signal(each) for each in signals], posts) == word


def test_precision_counts_what_somebody_judged() -> None:
    high, again = finding(1, severity=Severity.HIGH), finding(9, fingerprint="a" * 16)
    rows = [
        (high, "fixed"),
        (high, "fixed"),  # said twice, counted once
        (finding(2, severity=Severity.HIGH), "thumbs_down"),
        (finding(3, severity=Severity.HIGH), "applied"),
        (finding(4, severity=Severity.HIGH), "posted"),
        (finding(5, severity=Severity.HIGH), "refuted"),  # nobody has seen it
        (again, "resolved"),
        (finding(6, kind="docs", severity=Severity.LOW), "wontfix"),
    ]
    found = compute_precision(rows)
    assert found == [
        Precision("docs", Severity.LOW, 1, 0, 1),
        Precision("review", Severity.HIGH, 4, 2, 1),
        Precision("review", Severity.MEDIUM, 1, 0, 0),
    ]
    assert [row.share for row in found] == [Decimal(0), Decimal("0.667"), None]
    assert precision_table(found) == (
        "kind, severity  posted  accepted  rejected  precision\n"
        "docs, low            1         0         1         0%\n"
        "review, high         4         2         1        67%\n"
        "review, medium       1         0         0          -"
    )
