"""Which open pull requests are covered, and the sentences for those that are not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claude_batch.github_api.models import PullRequest
from claude_batch.ledger.events import Installed, Plan, PullRequestClosed
from claude_batch.ledger.view import LedgerState
from claude_batch.reconcile.coverage import needs_plan, skip_reason, uncovered_reason
from ledger_events import plan

LABEL = "claude-batch-now"
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
OURS = {"sha": "b" * 40, "ref": "main", "repo": {"full_name": "o/r"}}
HEAD = {"sha": "h" * 40, "ref": "feature", "repo": {"full_name": "o/r"}}


def pull(**fields: Any) -> PullRequest:
    given = {
        "number": 7,
        "state": "open",
        "merged_at": None,
        "base": OURS,
        "head": HEAD,
        "title": "x",
        "body": None,
        "updated_at": "2026-11-30T11:00:00Z",
        "user": {"login": "ann", "type": "User"},
    }
    return PullRequest.model_validate(given | fields)


def installed(**heads: str) -> LedgerState:
    event = Installed(at=NOW - timedelta(days=2), run="r", repo="o/r", heads={7: "old"} | heads)
    return LedgerState.from_events([event])


def planned(**fields: Any) -> Plan:
    return plan("p1").model_copy(update={"head": "h" * 40} | fields)


def reason(state: LedgerState, found: PullRequest, forks: Any = "skip") -> str:
    return uncovered_reason(state, found, forks, LABEL, NOW)


FORK = HEAD | {"repo": {"full_name": "stranger/r"}}
SKIPPED = [
    ({"draft": True}, "it is a draft; marking it ready for review, or the label"),
    ({"user": {"login": "renovate[bot]"}}, "its author is the bot renovate[bot]; the label"),
    ({"user": {"login": "x", "type": "Bot"}}, "its author is the bot x; the label"),
    ({"head": FORK}, "it comes from a fork; `forks = "),
    ({"head": HEAD | {"repo": None}}, "it comes from a fork; `forks = "),
]


@pytest.mark.parametrize(("fields", "start"), SKIPPED)
def test_what_nobody_asked_for_is_skipped_and_says_why(fields: dict[str, Any], start: str) -> None:
    assert skip_reason(pull(**fields), "skip", LABEL).startswith(start)
    assert reason(installed(), pull(**fields)).startswith(start)


@pytest.mark.parametrize(("fields", "start"), SKIPPED)
def test_the_label_is_a_persons_word_but_for_forks(fields: dict[str, Any], start: str) -> None:
    said = skip_reason(pull(**fields), "skip", LABEL, is_labelled=True)
    assert bool(said) is ("head" in fields)


def test_a_fork_needs_the_label_anew_for_later_pushes() -> None:
    assert skip_reason(pull(head=FORK), "label", LABEL, is_labelled=True) == ""
    said = skip_reason(pull(head=FORK), "label", LABEL)
    assert said == f"it comes from a fork; setting the label {LABEL} again submits its current head"


def test_an_account_may_be_gone() -> None:
    assert skip_reason(pull(user=None), "skip", LABEL) == ""


def test_pushed_since_the_installation_it_is_covered() -> None:
    assert reason(installed(), pull()) == ""


def test_open_before_the_installation_and_untouched_it_is_not() -> None:
    event = Installed(at=NOW, run="r", repo="o/r", heads={7: "h" * 40})
    assert "before claude-batch was installed" in reason(LedgerState.from_events([event]), pull())
    assert "before claude-batch was installed" in reason(LedgerState(), pull())


def test_after_fourteen_days_it_is_not() -> None:
    old = (NOW - timedelta(days=14, minutes=1)).isoformat()
    assert reason(installed(), pull(updated_at=old)) == "it was not touched for 14 days"


def test_a_recorded_plan_of_its_head_shows_that_an_event_was_seen() -> None:
    recorded = planned()
    state = LedgerState.from_events([recorded])
    assert reason(state, pull(draft=True)) == ""
    assert not needs_plan(state, pull())


@pytest.mark.parametrize(
    "fields", [{"head": HEAD | {"sha": "n" * 40}}, {"base": OURS | {"ref": "release"}}]
)
def test_another_head_or_base_needs_another_plan(fields: dict[str, Any]) -> None:
    recorded = planned(base_ref="main")
    assert needs_plan(LedgerState.from_events([recorded]), pull(**fields))


def test_reopened_it_needs_another_plan() -> None:
    recorded = planned()
    closed = PullRequestClosed(
        at=recorded.at + timedelta(hours=1), run="r", repo="o/r", pr=7, merged=False
    )
    assert needs_plan(LedgerState.from_events([recorded, closed]), pull())
