"""The search for the batch of an intent without a fact: what is recorded of it, and said."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from claude_batch import doubt
from claude_batch.collection import UNDECIDED, Recorder
from claude_batch.doubt import Adopt, Listed, LookAgain, Void
from claude_batch.event import BatchId, Looked, Submitted
from claude_batch.ledger import View, Write
from claude_batch.sending import Sending


@dataclass(frozen=True)
class Search:
    recorder: Recorder
    found: Sequence[tuple[Listed, bool | None]]  # as `doubt.resolve` wants them
    at: datetime  # when they were listed, by the service's clock

    def end(self, view: View) -> tuple[Write, str]:
        """With a note, or without one: while a sender may be at it there is nothing to tell."""
        sending = view.sendings[self.recorder.sending.intent.id]
        if not doubt.is_doubtful(sending):
            return Write(), ""  # somebody else has settled it
        name, is_now = sending.intent.id, sending.intent.lane == "now"
        match doubt.resolve(sending, self.found, self.at):
            case Adopt(batch):
                said = f"batch {batch.id} was found again and adopted for intent {name}"
                return Write((self._adopted(batch),)), said
            case Void() if is_now:
                return self.recorder.undecided(view), f"intent {name} of the lane now: {UNDECIDED}"
            case Void(reason):
                voided = self.recorder.voided(reason)
                said = f"intent {name} was never sent: {reason}; its tasks are free again"
                return Write((self._looked(()), *voided.events)), said
            case LookAgain(candidates) as verdict:
                news = (self._looked(candidates),) if doubt.is_news(sending, verdict) else ()
                return Write(news), "" if is_now else self._undecided(sending, len(candidates))
            case verdict:
                assert_never(verdict)

    def _undecided(self, sending: Sending, candidates: int) -> str:
        if sending.status(self.at) != "undecided":
            return ""
        return f"intent {sending.intent.id} is undecided: {candidates} batches might be it"

    def _looked(self, candidates: tuple[BatchId, ...]) -> Looked:
        intent = self.recorder.sending.intent
        return Looked(
            at=self.at,
            run=self.recorder.run,
            repo=intent.repo,
            intent=intent.id,
            candidates=candidates,
        )

    def _adopted(self, batch: Listed) -> Submitted:
        intent = self.recorder.sending.intent
        return Submitted(
            at=self.recorder.now,
            run=self.recorder.run,
            repo=intent.repo,
            intent=intent.id,
            batch=batch.id,
            created_at=batch.created_at,
            expires_at=batch.expires_at,
            adopted=True,
        )
