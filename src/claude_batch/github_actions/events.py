"""What an event of the CI service asks for: decided here, done by the `ci` trip."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from claude_batch.config.model import Lane
from claude_batch.errors import CannotRead
from claude_batch.formatting import first_error


@dataclass(frozen=True, slots=True)
class SubmitPullRequest:
    """`lane` None: as configured."""

    pr: int
    lane: Lane | None = None


@dataclass(frozen=True, slots=True)
class SkipPullRequest:
    """This pull request is left alone; `reason` is a sentence for the step summary."""

    pr: int
    reason: str


@dataclass(frozen=True, slots=True)
class ClosePullRequest:
    """The pull request was closed: batches that hold nothing else are in vain."""

    pr: int
    merged: bool


@dataclass(frozen=True, slots=True)
class CollectBatches:
    pass


@dataclass(frozen=True, slots=True)
class CollectAndPublish:
    """With follow-ups, for all open pull requests; the one run that may compact the ledger."""


@dataclass(frozen=True, slots=True)
class DoNothing:
    reason: str


EventAction = (
    SubmitPullRequest
    | SkipPullRequest
    | ClosePullRequest
    | CollectBatches
    | CollectAndPublish
    | DoNothing
)
ASKING = ("opened", "synchronize", "reopened", "ready_for_review")
DEPENDABOT = "dependabot[bot]"


class EventPart(BaseModel):
    """The parts of a payload that we read; GitHub adds others as it likes."""

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


def decide_action(
    event: str,
    payload: Mapping[str, object],
    label: str,
    forks: Literal["skip", "label"] = "skip",
) -> EventAction:
    """`label` is ours: set by a person, it submits at once. Raises CannotRead."""
    match event:
        case "pull_request" | "pull_request_target":
            return _of_pull_request(event, _read(event, payload), label, forks)
        case "schedule" | "workflow_dispatch":
            return CollectAndPublish()
        case "push":
            return CollectBatches()
        case _:
            return DoNothing(f"nothing to do for {event or 'a run without an event'}")


def base_commit(event: str, payload: Mapping[str, object]) -> str | None:
    """The commit whose configuration judges the pull request of this event, if it has one.

    Raises CannotRead.
    """
    if event not in ("pull_request", "pull_request_target"):
        return None
    return _read(event, payload).pull_request.base.sha


def _read(event: str, payload: Mapping[str, object]) -> PullRequestEvent:
    try:
        return PullRequestEvent.model_validate(payload)
    except ValidationError as error:
        raise CannotRead(
            f"the payload of the {event} event cannot be used: {first_error(error)}",
            "check the file that GITHUB_EVENT_PATH names",
        ) from error


def _of_pull_request(event: str, said: PullRequestEvent, label: str, forks: str) -> EventAction:
    pull = said.pull_request
    labelled = said.action == "labeled" and said.label is not None and said.label.name == label
    if said.action not in (*ASKING, "closed") and not labelled:
        return DoNothing(f"nothing to do for {event} {said.action}")
    barred = _barred(event, said)
    if barred:
        return SkipPullRequest(pull.number, barred)
    if said.action == "closed":
        return ClosePullRequest(pull.number, pull.merged)
    unwanted = _unwanted(pull, label, labelled, forks)
    if unwanted:
        return SkipPullRequest(pull.number, unwanted)
    return SubmitPullRequest(pull.number, "now" if labelled else None)


def _barred(event: str, said: PullRequestEvent) -> str:
    """Why this run has neither secrets nor a token that writes; empty where it has."""
    if event != "pull_request":
        return ""
    if said.pull_request.from_fork:
        return (
            "it comes from a fork, whose pull_request runs get no secrets; the GitHub App, or a "
            "workflow on pull_request_target that never checks out the head, can review it"
        )
    if said.sender is not None and said.sender.login == DEPENDABOT:
        return "Dependabot started this run, which gets no secrets"
    return ""


def _unwanted(pull: EventPullRequest, label: str, labelled: bool, forks: str) -> str:
    """Why nobody asked for this review; empty where somebody did. Our label is a person's word."""
    if pull.state != "open":
        return "it is closed"
    if pull.from_fork and forks == "skip":
        return 'it comes from a fork; `forks = "label"` in the configuration lets a label ask'
    if pull.from_fork and not labelled:
        # A label stays on while the fork's author pushes more: each push needs a new word.
        return f"it comes from a fork; setting the label {label} (again) submits what it is now"
    if labelled:
        return ""
    if pull.draft:
        return f"it is a draft; marking it ready for review, or the label {label}, submits it"
    if pull.user is not None and pull.user.is_bot:
        return f"its author is the bot {pull.user.login}; the label {label} submits it"
    return ""
