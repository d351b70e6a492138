from collections.abc import Mapping
from typing import Any

import pytest

from claude_batch.errors import CannotRead
from claude_batch.github_actions.events import (
    PullRequestHint,
    SkipEvent,
    read_event,
)

LABEL = "claude-batch: now"
LEFT_ALONE = "pull request 7 is left alone: "
OURS = {"repo": {"full_name": "o/r", "id": 1}, "sha": "a" * 40}
FORK = {"repo": {"full_name": "stranger/r"}, "sha": "b" * 40}


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


def read(
    event_payload: Mapping[str, Any], event: str = "pull_request"
) -> PullRequestHint | SkipEvent:
    return read_event(event, event_payload, LABEL)


@pytest.mark.parametrize(
    "action", ["opened", "synchronize", "reopened", "ready_for_review", "closed"]
)
def test_an_event_names_a_pull_request(action: str) -> None:
    assert read(payload(action)) == PullRequestHint(7)


def test_our_label_asks_for_answers_at_once() -> None:
    assert read(payload("labeled", LABEL)) == PullRequestHint(7, is_labelled=True)


def test_an_edit_counts_with_another_base_only() -> None:
    changed = {"changes": {"base": {"ref": {"from": "main"}}}}
    assert read(payload("edited") | changed) == PullRequestHint(7)
    title = {"changes": {"title": {"from": "x"}}}
    assert read(payload("edited") | title) == SkipEvent("nothing to do for pull_request edited")


@pytest.mark.parametrize("head", [FORK, {"repo": None}])
@pytest.mark.parametrize("action", ["opened", "closed"])
def test_a_fork_has_no_secrets_in_a_run_of_its_own(head: dict[str, Any], action: str) -> None:
    decision = read(payload(action, head=head))
    assert isinstance(decision, SkipEvent)
    assert decision.reason.startswith(
        LEFT_ALONE + "it comes from a fork, whose pull_request runs get no secrets"
    )


def test_what_dependabot_starts_has_no_secrets_either() -> None:
    decision = read(payload("closed", sender="dependabot[bot]"))
    assert decision == SkipEvent(LEFT_ALONE + "Dependabot started this run, so it gets no secrets")


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
    assert read(event_payload, event) == SkipEvent(reason)


def test_the_account_of_an_author_may_be_gone() -> None:
    assert read(payload("opened", user=None)) == PullRequestHint(7)


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
        read(event_payload)
    assert caught.value.problem.startswith(
        f"the payload of the pull_request event cannot be used: {where}: "
    )
