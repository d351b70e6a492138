"""Everything we remember: the fold of all events, and the port that every store implements."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from claude_batch.event import (
    Answered,
    AnyEvent,
    Asked,
    BatchId,
    BatchStatus,
    Closed,
    Forgotten,
    Intent,
    IntentId,
    Lease,
    Looked,
    Outcome,
    Plan,
    Post,
    Settled,
    Signal,
    Submitted,
    Voided,
)
from claude_batch.finding import Finding
from claude_batch.task import TaskId

ATTEMPTS = 2  # a task that failed this often waits for `retry`


class Standing(StrEnum):
    """How a task stands in the ledger."""

    NEW = "new"
    IN_FLIGHT = "in_flight"
    ANSWERED = "answered"
    FAILED = "failed"


@dataclass
class Sending:
    """One intent with all that is known of it."""

    intent: Intent
    requests: dict[int, Asked] = field(default_factory=dict)
    submitted: Submitted | None = None
    answers: dict[int, Answered] = field(default_factory=dict)
    voided: Voided | None = None
    looks: list[Looked] = field(default_factory=list)
    statuses: set[str] = field(default_factory=set)

    def is_open(self) -> bool:
        """Money may be, or is, under way."""
        return not self.voided and not self.statuses & {"collected", "lost"}

    def status(self, now: datetime) -> str:
        """One of the words of the `status` command."""
        if self.voided:
            return "lost"
        if self.submitted is None:
            return "intent" if now < self.intent.lease_until else "undecided"
        for word in ("lost", "collected", "ended", "canceling"):
            if word in self.statuses:
                return word
        return "in_progress"


@dataclass
class View:
    """The state at one tip of the ledger. Built once per tip, then only read."""

    sendings: dict[IntentId, Sending] = field(default_factory=dict)
    settled: dict[tuple[IntentId, int], Settled] = field(default_factory=dict)
    plans: list[Plan] = field(default_factory=list)
    posts: dict[tuple[int, str], Post] = field(default_factory=dict)
    signals: list[Signal] = field(default_factory=list)
    closed: dict[int, Closed] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    forgotten: dict[TaskId, datetime] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()  # what the store could not read and left alone: "path: why"

    @classmethod
    def of(cls, events: Iterable[AnyEvent], damaged: tuple[str, ...] = ()) -> "View":
        """The fold. The order of events does not matter: the latest `at` wins where one must."""
        raise NotImplementedError  # follows in this file

    def standing(self, task: TaskId) -> Standing: ...
    def known(self, ids: Iterable[TaskId]) -> set[TaskId]: ...  # in flight, answered or failed
    def open_batches(self) -> list[Sending]: ...
    def plan(self, pr: int) -> Plan | None: ...  # the latest
    def spent(self, since: datetime, pr: int | None = None) -> Decimal: ...  # paid + reserved
    def answers_of(self, ids: Iterable[TaskId]) -> list[tuple[Asked, Answered]]: ...


@dataclass(frozen=True)
class Shard:
    """What one request's answer said. Kept beside the log, compressed, dropped in the end."""

    intent: IntentId
    n: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Write:
    """What a decision wants recorded. Empty: nothing is written."""

    events: tuple[AnyEvent, ...] = ()
    shards: tuple[Shard, ...] = ()


class Ledger(Protocol):
    """The port. One store is a git branch; another may be a database."""

    def view(self) -> View:
        """The newest state. Raises CannotRecord."""

    def transact(self, decide: Callable[[View], Write]) -> View:
        """Record what `decide` returns, compare-and-swap.

        `decide` runs again on every new tip until its write lands, so it must only compute.
        Returns the state that holds the write. Raises CannotRecord, and whatever `decide` raises.
        """

    def findings(self, answers: Iterable[Answered]) -> Iterator[Finding]:
        """The findings of these answers, read from their shards; a lost shard is skipped."""
