"""The ledger's events, format 2. docs/ledger-format.md documents them.

Events never change, and their order does not matter: the state is computed from the set of all
events, so files of several writers are combined without conflicts. The fields and the values of
`type` are the file format.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import reduce
from typing import Annotated, Any, Literal, NewType, TypeVar, cast

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.results import Outcome, Usage
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId

FORMAT = 2
IntentId = NewType("IntentId", str)


class Model(BaseModel):
    # Newer versions may add keys. They are kept, so that folding a file does not lose them.
    model_config = ConfigDict(frozen=True, extra="allow")


class Event(Model):
    at: AwareDatetime
    run: str
    repo: str


E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Stamp:
    """The fields that every event has: its time, its run and its repository."""

    run: str
    repo: str
    now: Callable[[], datetime]

    def event(self, event_type: type[E], /, *, at: datetime | None = None, **fields: Any) -> E:
        """An event of this type, written at `at` or now. Raises pydantic.ValidationError."""
        misspelt = fields.keys() - event_type.model_fields.keys()
        if misspelt:  # pydantic would keep them as keys of a newer version
            raise TypeError(f"{event_type.__name__} has no field {', '.join(sorted(misspelt))}")
        return event_type(at=at or self.now(), run=self.run, repo=self.repo, **fields)


class SkippedPath(Model):
    path: str
    reason: str


class PinnedKind(Model):
    """A kind as it was when the plan was recorded. `prompt` is kept for the user's own kinds."""

    name: str
    tag: str
    prompt: str | None = None


PlanSource = Literal["pull_request", "range", "staged", "queued", "paths", "tasks", "rest", "mcp"]
NORMAL_PRIORITY = 50


class Plan(Event):
    """The files and tasks of one submit. It is recorded even if nothing was sent."""

    type: Literal["plan"] = "plan"
    id: str
    pr: int | None
    label: str  # "pull request 7", "main..feature", "staged changes"
    base: str | None
    head: str | None
    files: tuple[PlannedFile, ...]
    left_out: tuple[SkippedPath, ...] = ()
    new: int  # tasks that this submit sent
    reused: int  # tasks that the ledger knew: answered or in flight
    source: PlanSource | None = None
    lane: Literal["batch", "now", "auto", "later"] = "batch"
    priority: int = NORMAL_PRIORITY  # 0 to 100, the greater is sent first
    not_before: AwareDatetime | None = None
    deadline: AwareDatetime | None = None  # tasks that are not answered by then expire
    tags: tuple[str, ...] = ()
    base_ref: str | None = None  # the branch that the pull request is to be merged into
    rules: str | None = None  # the commit whose rule files apply
    pinned: tuple[PinnedKind, ...] = ()

    @property
    def tasks(self) -> Iterator[PlannedTask]:
        return (task for file in self.files for task in file.tasks)

    @property
    def task_ids(self) -> set[TaskId]:
        return {task.id for task in self.tasks}

    @property
    def kinds(self) -> set[str]:
        return {task.kind for task in self.tasks}


class Intent(Event):
    """A batch that is about to be created. Until `lease_until` other runs leave it alone."""

    type: Literal["intent"] = "intent"
    id: IntentId  # 16 hex digits, random; the first part of each custom_id
    lease_until: AwareDatetime
    lane: Literal["batch", "now"]
    requests: int
    sha256: str  # over the `sha` of its requests, in order
    scope: str | None = None  # the key that sends it; see `AnthropicClient.key_scope`
    follows: str | None = None  # the reason of a second batch: "retry", "split", "verify", "rest"


class Estimate(Model):
    """The estimate before sending. The budget reserves `usd_max`."""

    input_tokens: int
    output_tokens: int
    usd: Decimal
    usd_standard: Decimal
    usd_max: Decimal


class RequestRecorded(Event):
    type: Literal["request"] = "request"
    intent: IntentId
    n: int  # its position in the intent; custom_id is "<intent>-<n>-<first 16 of sha>"
    sha: str  # over the request's params
    pr: int | None
    kind: str
    model: str
    effort: str | None
    purpose: Literal["ask", "verify", "primer"] = "ask"
    tasks: tuple[AnchoredTask, ...]
    about: tuple[str, ...] = ()  # finding ids, for a second look
    estimate: Estimate


class Submitted(Event):
    type: Literal["submitted"] = "submitted"
    intent: IntentId
    batch: BatchId
    created_at: AwareDatetime
    expires_at: AwareDatetime
    adopted: bool = False  # found by listing after a crash


class BatchLookup(Event):
    """A listing of batches, made to find the batch of an intent without a `Submitted` event."""

    type: Literal["looked"] = "looked"
    intent: IntentId
    candidates: tuple[BatchId, ...]


class IntentAbandoned(Event):
    """Nothing more of this intent will be sent: its tasks without an answer may be sent again."""

    type: Literal["voided"] = "voided"
    intent: IntentId
    reason: str
    is_refusal: bool = False  # the API did not take it, so a pause follows


class BatchStatus(Event):
    type: Literal["batch"] = "batch"
    batch: BatchId
    status: Literal["canceling", "ended", "collected", "lost", "deleted"]  # deleted at the API


class AnswerRecorded(Event):
    """The answer to one request, and its cost. `shard` is the file with its findings."""

    type: Literal["answer"] = "answer"
    intent: IntentId
    n: int
    batch: BatchId | None
    outcome: Outcome
    model: str | None = None
    usage: Usage | None = None
    usd: Decimal | None = None
    usd_standard: Decimal | None = None
    findings: int = 0
    refuted: tuple[str, ...] = ()  # finding ids, on the answer of a second look
    error: str | None = None
    retriable: bool = False
    shard: str | None = None
    may_be_billed: bool = False  # the result is missing, so it counts at its estimate


class Lease(Event):
    """Reserves `scope` ("publish:7") for `owner` until `until`. `until` = `at` releases it."""

    type: Literal["lease"] = "lease"
    scope: str
    owner: str
    until: AwareDatetime


class Post(Event):
    """Something that was posted on GitHub. `key` is a fingerprint, "summary" or "check"."""

    type: Literal["post"] = "post"
    pr: int
    what: Literal["comment", "summary", "check", "pull_request"]
    key: str
    remote_id: int
    sha: str  # over the body: if it differs, the post is edited
    head: str
    state: Literal["posted", "resolved", "deleted"] = "posted"


class FeedbackRecorded(Event):
    """Feedback on a finding by a person with write access."""

    type: Literal["signal"] = "signal"
    pr: int
    fingerprint: str
    what: Literal["thumbs_up", "thumbs_down", "resolved", "wontfix", "applied"]


class TasksReset(Event):
    """Tasks that may be sent again although they were answered or have failed too often."""

    type: Literal["forgotten"] = "forgotten"
    tasks: tuple[TaskId, ...]
    reason: str


class PullRequestClosed(Event):
    type: Literal["closed"] = "closed"
    pr: int
    merged: bool


class Held(Event):
    """A hold on waiting tasks, or its end. `target` is a job, "kind:review" or "all"."""

    type: Literal["held"] = "held"
    target: str
    on: bool
    by: str = ""


class Unsent(Event):
    """The reason why due tasks of a plan were not sent, and when to try again."""

    type: Literal["unsent"] = "unsent"
    plan: str
    reason: Literal["budget", "failed"]  # "failed": git or GitHub, so it was not built
    problem: str  # for people
    retry_at: AwareDatetime | None = None
    settings: str = ""  # digest of the configuration: if it changes, the wait is over


class JobChanged(Event):
    """A change of a job by a person."""

    type: Literal["job"] = "job"
    id: str  # of the plan
    action: Literal["cancelled", "deleted", "reopened"]


class Installed(Event):
    """The start line. `heads` are those of the pull requests that were open then, by number."""

    type: Literal["installed"] = "installed"
    heads: dict[int, str] = {}


class PullRequestSeen(Event):
    """A pull request when it was last read in full. While these are equal, nothing is to be done
    there but to post new answers."""

    type: Literal["seen"] = "seen"
    pr: int
    head: str
    base_ref: str
    updated_at: AwareDatetime


class FoldedRequest(Event):
    """A finished request and its answer in one event: the fields that receipts and deduplication
    need."""

    type: Literal["settled"] = "settled"
    intent: IntentId
    n: int
    pr: int | None
    kind: str
    purpose: Literal["ask", "verify", "primer"] = "ask"
    model: str | None
    lane: Literal["batch", "now"]
    outcome: Outcome
    tasks: tuple[TaskId, ...]
    usage: Usage | None
    usd: Decimal | None
    usd_standard: Decimal | None
    usd_estimated: Decimal
    findings: int = 0
    about: tuple[str, ...] = ()
    refuted: tuple[str, ...] = ()
    shard: str | None = None
    definitions: tuple[str, ...] = ()  # of its tasks, in their order; empty if there are none

    @property
    def _definitions(self) -> tuple[str, ...]:
        return self.definitions or ("",) * len(self.tasks)

    @classmethod
    def from_request(
        cls, request: RequestRecorded, answer: AnswerRecorded, lane: Literal["batch", "now"]
    ) -> "FoldedRequest":
        return cls(
            **_fields(request, FROM_REQUEST),
            **_fields(answer, FROM_ANSWER),
            lane=lane,
            tasks=tuple(task.id for task in request.tasks),
            definitions=_definitions(request.tasks),
            usd_estimated=request.estimate.usd,
        )

    def request(self, intent: Intent | None = None) -> RequestRecorded:
        """The request, as far as it is kept: its tasks have ids only. `intent`, where it is still
        known, has the time of the request; without it the time is that of the answer."""
        usd = self.usd_estimated
        return RequestRecorded(
            **_fields(self, FROM_REQUEST),
            **_fields(intent or self, ("at", "run")),
            sha="",
            model=self.model or "",
            effort=None,
            tasks=tuple(
                AnchoredTask(id=task, path="", signs="", hashes="", definition=definition)
                for task, definition in zip(self.tasks, self._definitions, strict=True)
            ),
            estimate=Estimate(
                input_tokens=0, output_tokens=0, usd=usd, usd_standard=usd, usd_max=usd
            ),
        )

    def answer(self, batch: BatchId | None = None) -> AnswerRecorded:
        """The answer, as far as it is kept. `batch` is the batch of its intent."""
        return AnswerRecorded(
            **_fields(self, (*FROM_ANSWER, "repo", "intent", "n")),
            batch=batch,
            retriable=self.outcome is not Outcome.SUCCEEDED,
        )


# The fields that a folded request has from its request, and those that it has from the answer.
FROM_REQUEST = ("repo", "intent", "n", "pr", "kind", "purpose", "about")
FROM_ANSWER = (
    *("at", "run", "model", "outcome", "usage", "usd", "usd_standard"),
    *("findings", "refuted", "shard"),
)


def _definitions(tasks: Sequence[AnchoredTask]) -> tuple[str, ...]:
    definitions = tuple(task.definition for task in tasks)
    return definitions if any(definitions) else ()


def _fields(event: Event, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(event, name) for name in names}


KnownEvent = Annotated[
    Plan
    | Intent
    | RequestRecorded
    | Submitted
    | BatchLookup
    | IntentAbandoned
    | BatchStatus
    | AnswerRecorded
    | Lease
    | Post
    | FeedbackRecorded
    | TasksReset
    | PullRequestClosed
    | Held
    | Unsent
    | JobChanged
    | Installed
    | PullRequestSeen
    | FoldedRequest,
    Field(discriminator="type"),
]

EVENT: TypeAdapter[KnownEvent] = TypeAdapter(KnownEvent)


class UnknownEvent(Event):
    """An event of a newer version. It is kept as it is."""

    type: str


AnyEvent = KnownEvent | UnknownEvent

# The API bills these, because they have a message. A lost one may have been billed.
BILLED = (Outcome.SUCCEEDED, Outcome.REFUSED, Outcome.TRUNCATED, Outcome.UNREADABLE)


def is_unpriced(answer: AnswerRecorded | FoldedRequest) -> bool:
    """True if it may have cost money but the amount is unknown: its model has no price, its usage
    is missing, negative or absurd, or its whole result is missing."""
    if answer.usd is not None:
        return False
    is_missing = isinstance(answer, AnswerRecorded) and answer.may_be_billed
    return answer.usage is not None or answer.outcome in BILLED or is_missing


def is_lost(answer: AnswerRecorded | FoldedRequest) -> bool:
    """True if the answer to an immediate request was lost, so it may have been billed."""
    # Lost answers of batches do not count: the API still has them.
    at_once = answer.lane == "now" if isinstance(answer, FoldedRequest) else answer.batch is None
    return at_once and answer.usage is None and answer.outcome is Outcome.UNREADABLE


def to_line(event: AnyEvent) -> bytes:
    """A line of a log file, without its newline. Fields with their default value are left out."""
    row = event.__pydantic_serializer__.to_json(event, exclude_defaults=True, exclude={"type"})
    return b'{"type":%b,%b' % (to_json(event.type), row[1:])


def from_line(line: bytes) -> AnyEvent:
    """Raises pydantic.ValidationError."""
    try:
        return EVENT.validate_json(line)
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] != "union_tag_invalid":
            raise
        return UnknownEvent.model_validate_json(line)


FREE = {
    *("plan", "looked", "lease", "post", "signal", "closed"),
    *("held", "unsent", "job", "installed", "seen"),
}


def may_be_money(line: bytes) -> bool:
    """False for a damaged line that surely tells of nothing that costs money."""
    try:
        row = from_json(line)
    except ValueError:
        return True
    return not (isinstance(row, dict) and str(row.get("type")) in FREE)


TICK = timedelta(microseconds=1)


def next_timestamp(known: Iterable[datetime], now: datetime) -> datetime:
    """`now`, or just after the latest known time, if the clock of this runner is behind."""
    return max([now, *(at + TICK for at in known)])


def latest(events: Iterable[E]) -> E:
    """The event that counts, of at least one."""
    return reduce(lambda one, other: other if supersedes(other, one) else one, events)


def supersedes(event: Event, other: Event) -> bool:
    """True if `event` is later. Of two events with the same time, the greater line counts."""
    if event.at != other.at:
        return event.at > other.at
    return event != other and encode(event) > encode(other)


def encode(event: Event) -> bytes:
    return to_line(cast(AnyEvent, event))
