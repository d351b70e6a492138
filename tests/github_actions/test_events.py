from collections.abc import Mapping
from typing import Any, Literal

import pytest

from claude_batch.errors import CannotRead
from claude_batch.github_actions.events import (
    ClosePullRequest,
    SkipEvent,
    SubmitPullRequest,
    decide_action,
)

LABEL = "claude-batch: now"
LEFT_ALONE = "pull request 7 is left alone: "
OURS = {"repo": {"full_name": "o/r", "id": 1}, "sha": "a" * 40}
FORK = {"repo": {"full_name": "stranger/r"}, "sha": "b" * 40}
BOT = {"login": "renovate[bot]", "type": "Bot"}


def payload(
    action: str, label: str | None = None, sender: str = "ann", **pull: Any
) -> dict[str, Any]:
    """As GitHub sends it, with keys that the program does not read."""
    event_payload: dict[str, Any] = {
        "action": action,
        "number": 7,
        "sender": {"login": sender, "type": "User"},
        "repository": {"full_name": "o/r"},
        "pull_request": {
            "number": 7,
            "title": "x",
            "state": "open",
            "draft": False,
            "user": {"login": "ann", "type": "User"},
            "base": OURS,
            "head": OURS,
        }
        | pull,
    }
    return event_payload | ({"label": {"name": label, "color": "fff"}} if label else {})


def decide(
    event_payload: Mapping[str, Any],
    event: str = "pull_request",
    forks: Literal["skip", "label"] = "skip",
) -> SubmitPullRequest | ClosePullRequest | SkipEvent:
    return decide_action(event, event_payload, LABEL, forks)


@pytest.mark.parametrize("action", ["opened", "synchronize", "reopened", "ready_for_review"])
def test_new_code_is_submitted_as_configured(action: str) -> None:
    assert decide(payload(action)) == SubmitPullRequest(7, lane=None)


def test_our_label_submits_at_once() -> None:
    assert decide(payload("labeled", LABEL)) == SubmitPullRequest(7, lane="now")


@pytest.mark.parametrize("pull", [{"draft": True}, {"user": BOT}])
def test_our_label_is_a_persons_word_for_drafts_and_bots_too(pull: dict[str, Any]) -> None:
    assert decide(payload("labeled", LABEL, **pull)) == SubmitPullRequest(7, lane="now")


@pytest.mark.parametrize(
    ("pull", "reason"),
    [
        (
            {"draft": True},
            "it is a draft; marking it ready for review, or the label claude-batch: now, "
            "submits it",
        ),
        (
            {"user": BOT},
            "its author is the bot renovate[bot]; the label claude-batch: now submits it",
        ),
        (
            {"user": {"login": "x[bot]"}},
            "its author is the bot x[bot]; the label claude-batch: now submits it",
        ),
        ({"state": "closed"}, "it is closed"),
    ],
)
def test_what_nobody_asked_for_is_skipped_and_says_why(pull: dict[str, Any], reason: str) -> None:
    assert decide(payload("synchronize", **pull)) == SkipEvent(LEFT_ALONE + reason)


def test_a_label_on_a_closed_pull_request_submits_nothing() -> None:
    assert decide(payload("labeled", LABEL, state="closed")) == SkipEvent(
        LEFT_ALONE + "it is closed"
    )


@pytest.mark.parametrize("head", [FORK, {"repo": None}])
@pytest.mark.parametrize("action", ["opened", "closed"])
def test_a_fork_has_no_secrets_in_a_run_of_its_own(head: dict[str, Any], action: str) -> None:
    decision = decide(payload(action, head=head), forks="label")
    assert isinstance(decision, SkipEvent)
    assert decision.reason.startswith(
        LEFT_ALONE + "it comes from a fork, whose pull_request runs get no secrets"
    )


def test_what_dependabot_starts_has_no_secrets_either() -> None:
    decision = decide(payload("closed", sender="dependabot[bot]"))
    assert decision == SkipEvent(LEFT_ALONE + "Dependabot started this run, so it gets no secrets")


def test_a_fork_where_there_are_secrets_is_skipped_by_default() -> None:
    decision = decide(payload("labeled", LABEL, head=FORK), "pull_request_target")
    assert decision == SkipEvent(
        LEFT_ALONE
        + 'it comes from a fork; `forks = "label"` in the configuration allows reviews by label'
    )


def test_a_fork_needs_the_label_anew_for_what_is_pushed_later() -> None:
    labelled = decide(payload("labeled", LABEL, head=FORK), "pull_request_target", "label")
    assert labelled == SubmitPullRequest(7, lane="now")
    pushed = decide(payload("synchronize", head=FORK), "pull_request_target", "label")
    assert pushed == SkipEvent(
        LEFT_ALONE
        + "it comes from a fork; setting the label claude-batch: now again submits its current head"
    )


@pytest.mark.parametrize("merged", [True, False])
def test_a_closed_pull_request_cancels(merged: bool) -> None:
    assert decide(payload("closed", state="closed", merged=merged)) == ClosePullRequest(7, merged)


@pytest.mark.parametrize(
    ("event", "event_payload", "reason"),
    [
        ("pull_request", payload("edited"), "nothing to do for pull_request edited"),
        ("pull_request", payload("labeled", "bug"), "nothing to do for pull_request labeled"),
        ("pull_request", payload("labeled"), "nothing to do for pull_request labeled"),
    ],
)
def test_anything_else_is_nothing(
    event: str, event_payload: Mapping[str, Any], reason: str
) -> None:
    assert decide(event_payload, event) == SkipEvent(reason)


def test_the_account_of_an_author_may_be_gone() -> None:
    assert decide(payload("opened", user=None)) == SubmitPullRequest(7)


@pytest.mark.parametrize(
    ("event_payload", "where"),
    [
        ({}, "action"),
        ({"action": "opened"}, "pull_request"),
        (payload("opened", number="seven"), "pull_request.number"),
        (payload("opened", head={}), "pull_request.head.repo"),
    ],
)
def test_a_payload_without_what_we_need_is_an_error(
    event_payload: Mapping[str, Any], where: str
) -> None:
    with pytest.raises(CannotRead) as caught:
        decide(event_payload)
    assert caught.value.problem.startswith(
        f"the payload of the pull_request event cannot be used: {where}: "
    )
