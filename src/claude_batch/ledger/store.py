"""ledger/store."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from claude_batch.findings.finding import Finding
from claude_batch.ledger.events import AnswerRecorded, AnyEvent, IntentId
from claude_batch.ledger.view import LedgerState


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
    drops: tuple[str, ...] = ()  # shards that nobody needs any more, by name
    fold_before: datetime | None = None  # the store may fold what was finished before then


class Ledger(Protocol):
    """The port. One store is a git branch; another may be a database."""

    def view(self) -> LedgerState:
        """The newest state. Raises CannotRecord."""

    def transact(
        self, decide: Callable[[LedgerState], Write], *, patient: bool = True
    ) -> LedgerState:
        """Record what `decide` returns, compare-and-swap.

        `decide` runs again on every new tip until its write lands, so it must only compute.
        Who is not `patient` tries once: it is about to end.
        Returns the state that holds the write. Raises CannotRecord, and whatever `decide` raises.
        """

    def findings(self, answers: Iterable[AnswerRecorded]) -> Iterator[Finding]:
        """The findings of these answers, read from their shards; a lost shard is skipped."""
