"""An intent with all that became of it: its requests, its batch, their answers."""

from dataclasses import dataclass, field
from datetime import datetime

from claude_batch.anthropic_api.models import BatchId
from claude_batch.ledger.events import (
    AnswerRecorded,
    BatchLookup,
    BatchStatus,
    Intent,
    IntentAbandoned,
    IntentId,
    RequestRecorded,
    Submitted,
)
from claude_batch.ledger.lazy_rows import LazyRows
from claude_batch.ledger.log import EventIndex


@dataclass
class BatchRecord:
    """One intent with all that is known of it."""

    intent: Intent
    requests: LazyRows[RequestRecorded] = field(default_factory=LazyRows)
    submitted: Submitted | None = None
    answers: LazyRows[AnswerRecorded] = field(default_factory=LazyRows)
    abandoned: IntentAbandoned | None = None
    lookups: list[BatchLookup] = field(default_factory=list)
    statuses: set[str] = field(default_factory=set)

    def is_answered(self) -> bool:
        """Every request has its answer, whether or not anybody noted the batch as collected."""
        return bool(self.requests) and self.requests.keys() <= self.answers.keys()

    def is_open(self) -> bool:
        """Money may be, or is, under way."""
        return not (self.abandoned or self.is_answered() or self.statuses & {"collected", "lost"})

    def status(self, now: datetime) -> str:
        """One of the words of the `status` command."""
        if self.is_answered():
            return "collected"
        if self.abandoned:
            return "collected" if self.answers else "lost"
        if self.submitted is None:
            return "intent" if now < self.intent.lease_until else "undecided"
        for word in ("lost", "collected", "ended", "canceling"):
            if word in self.statuses:
                return word
        return "in_progress"


def build_batch_records(
    log: EventIndex, answers: dict[IntentId, LazyRows[AnswerRecorded]]
) -> dict[IntentId, BatchRecord]:
    requests = log.lazy_rows(RequestRecorded)
    found = {
        key: BatchRecord(
            intent, requests.get(key, LazyRows()), answers=answers.get(key, LazyRows())
        )
        for key, intent in log.latest(Intent, lambda e: e.id).items()
    }
    for looked in log.distinct(BatchLookup):
        if looked.intent in found:
            found[looked.intent].lookups.append(looked)
    _add_batches(found, log)
    return found


def _add_batches(found: dict[IntentId, BatchRecord], log: EventIndex) -> None:
    """A batch that exists beats the belief that it was never sent: its money is under way."""
    for intent, voided in log.latest(IntentAbandoned, lambda e: e.intent).items():
        if intent in found:
            found[intent].abandoned = voided
    sender: dict[BatchId, IntentId] = {e.batch: e.intent for e in log.distinct(Submitted)}
    for intent, submitted in log.latest(Submitted, lambda e: e.intent).items():
        if intent in found:
            found[intent].submitted, found[intent].abandoned = submitted, None
    for status in log.all(BatchStatus):
        owner = sender.get(status.batch)
        if owner in found:
            found[owner].statuses.add(status.status)
