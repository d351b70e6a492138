"""Read the event of a CI run. It says where to look first, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from claude_batch.errors import CannotRead
from claude_batch.formatting import first_error


@dataclass(frozen=True, slots=True)
class PullRequestHint:
    """A pull request that the event names. What it is now decides what is done."""

    pr: int
    is_labelled: bool = False  # somebody has just set the label that asks for answers at once


@dataclass(frozen=True, slots=True)
class SkipEvent:
    reason: str  # a sentence without its full stop, for the step summary


PULL_REQUEST_EVENTS = ("pull_request", "pull_request_target")
ACTIONS = ("opened", "synchronize", "reopened", "ready_for_review", "closed")
DEPENDABOT = "dependabot[bot]"


class EventPart(BaseModel):
    """The fields of a payload that the program reads."""

    # GitHub may add fields at any time.
    model_config = ConfigDict(frozen=True, extra="ignore")


Part = TypeVar("Part", bound=EventPart)


class EventAccount(EventPart):
    login: str


class EventRepository(EventPart):
    full_name: str


class EventBranch(EventPart):
    repo: EventRepository | None  # None: the fork was deleted
    sha: str | None = None
    ref: str | None = None


class EventPullRequest(EventPart):
    number: int
    base: EventBranch
    head: EventBranch

    @property
    def from_fork(self) -> bool:
        return self.head.repo is None or self.head.repo != self.base.repo


class EventLabel(EventPart):
    name: str


class MergeGroup(EventPart):
    head_sha: str


class MergeGroupEvent(EventPart):
    merge_group: MergeGroup


class PullRequestEvent(EventPart):
    action: str
    pull_request: EventPullRequest
    label: EventLabel | None = None
    changes: Mapping[str, object] = {}  # of `edited`
    sender: EventAccount | None = None


def base_branch(event: str, payload: Mapping[str, object]) -> EventBranch | None:
    """The base of the event's pull request, if it has one. Raises CannotRead."""
    if event not in PULL_REQUEST_EVENTS:
        return None
    return _parse(event, payload).pull_request.base


def merge_group_head(payload: Mapping[str, object]) -> str:
    """The head of a group in the merge queue. Raises CannotRead."""
    return _parse_payload("merge_group", MergeGroupEvent, payload).merge_group.head_sha


def _parse(event: str, payload: Mapping[str, object]) -> PullRequestEvent:
    return _parse_payload(event, PullRequestEvent, payload)


def _parse_payload(event: str, model: type[Part], payload: Mapping[str, object]) -> Part:
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        raise CannotRead(
            f"the payload of the {event} event cannot be used: {first_error(error)}",
            "check the file that GITHUB_EVENT_PATH names",
        ) from error


def read_event(
    event: str, payload: Mapping[str, object], label: str
) -> PullRequestHint | SkipEvent:
    """The pull request that the event is about. Raises CannotRead."""
    parsed = _parse(event, payload)
    number, action = parsed.pull_request.number, parsed.action
    is_labelled = action == "labeled" and parsed.label is not None and parsed.label.name == label
    has_new_base = action == "edited" and "base" in parsed.changes
    if not (action in ACTIONS or is_labelled or has_new_base):
        return SkipEvent(f"nothing to do for {event} {action}")
    reason = _missing_rights(event, parsed)
    if reason:
        return SkipEvent(f"pull request {number} is left alone: {reason}")
    return PullRequestHint(number, is_labelled)


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
