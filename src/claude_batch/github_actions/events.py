"""Choose the action for a pull request event. `claude-batch ci` carries it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from claude_batch.config.model import Lane
from claude_batch.errors import CannotRead
from claude_batch.formatting import first_error


@dataclass(frozen=True, slots=True)
class SubmitPullRequest:
    pr: int
    lane: Lane | None = None  # None: as configured


@dataclass(frozen=True, slots=True)
class ClosePullRequest:
    """Cancel the batches that hold requests of this closed pull request only."""

    pr: int
    merged: bool


@dataclass(frozen=True, slots=True)
class SkipEvent:
    reason: str  # a sentence without its full stop, for the step summary


PULL_REQUEST_EVENTS = ("pull_request", "pull_request_target")
SUBMIT_ACTIONS = ("opened", "synchronize", "reopened", "ready_for_review")
DEPENDABOT = "dependabot[bot]"


class EventPart(BaseModel):
    """The fields of a payload that the program reads."""

    # GitHub may add fields at any time.
    model_config = ConfigDict(frozen=True, extra="ignore")


class EventAccount(EventPart):
    login: str
    type: str = "User"

    @property
    def is_bot(self) -> bool:
        return self.type == "Bot" or self.login.endswith("[bot]")


class EventRepository(EventPart):
    full_name: str


class EventBranch(EventPart):
    repo: EventRepository | None  # None: the fork was deleted
    sha: str | None = None


class EventPullRequest(EventPart):
    number: int
    state: str = "open"
    draft: bool = False
    merged: bool = False
    user: EventAccount | None  # None: the account was deleted
    base: EventBranch
    head: EventBranch

    @property
    def from_fork(self) -> bool:
        return self.head.repo is None or self.head.repo != self.base.repo


class EventLabel(EventPart):
    name: str


class PullRequestEvent(EventPart):
    action: str
    pull_request: EventPullRequest
    label: EventLabel | None = None
    sender: EventAccount | None = None


def base_commit(event: str, payload: Mapping[str, object]) -> str | None:
    """The base commit of the event's pull request, if it has one. Raises CannotRead."""
    if event not in PULL_REQUEST_EVENTS:
        return None
    return _parse(event, payload).pull_request.base.sha


def _parse(event: str, payload: Mapping[str, object]) -> PullRequestEvent:
    try:
        return PullRequestEvent.model_validate(payload)
    except ValidationError as error:
        raise CannotRead(
            f"the payload of the {event} event cannot be used: {first_error(error)}",
            "check the file that GITHUB_EVENT_PATH names",
        ) from error


def decide_action(
    event: str,
    payload: Mapping[str, object],
    label: str,
    forks: Literal["skip", "label"] = "skip",
) -> SubmitPullRequest | ClosePullRequest | SkipEvent:
    """Choose the action. Setting `label` submits at once. Raises CannotRead."""
    parsed = _parse(event, payload)
    pull, action = parsed.pull_request, parsed.action
    labelled = action == "labeled" and parsed.label is not None and parsed.label.name == label
    if action not in (*SUBMIT_ACTIONS, "closed") and not labelled:
        return SkipEvent(f"nothing to do for {event} {action}")
    reason = _missing_rights(event, parsed)
    if not reason and action == "closed":
        return ClosePullRequest(pull.number, pull.merged)
    reason = reason or _skip_reason(pull, label, labelled, forks)
    if reason:
        return SkipEvent(f"pull request {pull.number} is left alone: {reason}")
    return SubmitPullRequest(pull.number, "now" if labelled else None)


def _missing_rights(event: str, payload: PullRequestEvent) -> str:
    """The reason why this run has no secrets and a read-only token. Empty: it has both."""
    if event != "pull_request":
        return ""
    if payload.pull_request.from_fork:
        return (
            "it comes from a fork, whose pull_request runs get no secrets; the GitHub App, or a "
            "workflow on pull_request_target that never checks out the head, can review it"
        )
    if payload.sender is not None and payload.sender.login == DEPENDABOT:
        return "Dependabot started this run, so it gets no secrets"
    return ""


def _skip_reason(pull: EventPullRequest, label: str, labelled: bool, forks: str) -> str:
    """The reason why the pull request is not submitted. Empty: it is submitted."""
    if pull.state != "open":
        return "it is closed"
    if pull.from_fork and forks == "skip":
        return (
            'it comes from a fork; `forks = "label"` in the configuration allows reviews by label'
        )
    if pull.from_fork and not labelled:
        # The label stays on while the fork's author pushes more, so each push needs it set anew.
        return f"it comes from a fork; setting the label {label} again submits its current head"
    if labelled:
        return ""
    if pull.draft:
        return f"it is a draft; marking it ready for review, or the label {label}, submits it"
    if pull.user is not None and pull.user.is_bot:
        return f"its author is the bot {pull.user.login}; the label {label} submits it"
    return ""
