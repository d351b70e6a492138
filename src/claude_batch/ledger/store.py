"""The protocol of a ledger, and the values that are written to one."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from claude_batch.findings.finding import Finding
from claude_batch.ledger.events import AnswerRecorded, AnyEvent, IntentId
from claude_batch.ledger.view import LedgerState


@dataclass(frozen=True)
class Shard:
    """The findings of one request. They are stored outside of the log, so that they can be
    deleted."""

    intent: IntentId
    n: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Write:
    """One change to the ledger. Nothing is written for an empty one."""

    events: tuple[AnyEvent, ...] = ()
    shards: tuple[Shard, ...] = ()
    drops: tuple[str, ...] = ()  # paths of shards to delete
    fold_before: datetime | None = None  # requests that ended before may be folded


class Ledger(Protocol):
    """A ledger. GitLedger keeps it on a branch; a database could implement the same methods."""

    def view(self) -> LedgerState:
        """The newest state. Raises CannotRecord."""

    def transact(
        self, decide: Callable[[LedgerState], Write], *, patient: bool = True
    ) -> LedgerState:
        """Write what `decide` returns, and return the state that contains it.

        The write is a compare-and-swap: `decide` is called again for each new tip until its write
        lands, so it must not have side effects. Without `patient` it is tried once, for a process
        that is about to end. Raises CannotRecord, and whatever `decide` raises.
        """

    def findings(self, answers: Iterable[AnswerRecorded]) -> Iterator[Finding]:
        """The findings of these answers, from their shards. A lost shard is skipped."""
