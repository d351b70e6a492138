"""Sending what is claimed: each batch after its intent, and what became of it right after."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from claude_batch.answer import parse_message
from claude_batch.body import Body
from claude_batch.collection import Recorder, shape_of
from claude_batch.errors import CannotSubmit, SubmitUnclear
from claude_batch.event import Submitted, Voided
from claude_batch.ledger import Ledger, Write
from claude_batch.parcel import Parcel, Sent
from claude_batch.price import Prices
from claude_batch.remote import RemoteBatch


class Client(Protocol):
    """Both raise SubmitUnclear when it may have been accepted all the same, else CannotSubmit."""

    def create(self, requests: Iterable[tuple[str, Body]]) -> RemoteBatch: ...

    def ask(self, params: bytes) -> bytes: ...


@dataclass(frozen=True)
class Sender:
    ledger: Ledger
    client: Client
    prices: Prices
    now: Callable[[], datetime]

    def send_all(self, parcels: Sequence[Parcel]) -> Iterator[Sent]:
        """In order; when one cannot be sent, nobody has to wait for those after it."""
        for at, parcel in enumerate(parcels):
            try:
                yield self._send(parcel)
            except CannotSubmit:
                for rest in parcels[at + 1 :]:
                    self._void(rest, "a batch before it could not be sent")
                raise

    def _send(self, parcel: Parcel) -> Sent:
        tasks = sum(len(draft.asked.tasks) for draft in parcel.drafts)
        if parcel.intent.lane == "now":
            self._ask_all(parcel)
            return Sent(None, len(parcel.drafts), tasks, follows=parcel.intent.follows)
        fact = self._create(parcel)
        return Sent(fact.batch, len(parcel.drafts), tasks, fact.expires_at, parcel.intent.follows)

    def _create(self, parcel: Parcel) -> Submitted:
        try:
            remote = self.client.create((draft.custom_id, draft.body) for draft in parcel.drafts)
        except SubmitUnclear:
            raise  # the intent stays: `collect` looks whether the batch is there after all
        except CannotSubmit as refusal:
            self._void(parcel, refusal.problem)
            raise
        fact = Submitted(
            at=self.now(),
            run=parcel.intent.run,
            repo=parcel.intent.repo,
            intent=parcel.intent.id,
            batch=remote.id,
            created_at=remote.created_at,
            expires_at=remote.expires_at,
        )
        self.ledger.transact(lambda view: Write((fact,)))
        return fact

    def _void(self, parcel: Parcel, reason: str) -> None:
        """Nothing more of it will be sent: what has no answer is free again."""
        fact = Voided(
            at=self.now(),
            run=parcel.intent.run,
            repo=parcel.intent.repo,
            intent=parcel.intent.id,
            reason=reason,
        )
        self.ledger.transact(lambda view: Write((fact,)))

    def _ask_all(self, parcel: Parcel) -> None:
        """Lane now: one answer at a time, each recorded before the next is paid for."""
        sending = self.ledger.view().sendings[parcel.intent.id]
        for draft in parcel.drafts:
            recorder = Recorder(sending, self.prices, self.now(), parcel.intent.run)
            try:
                said = self.client.ask(draft.body.read())
                answer = parse_message(draft.custom_id, said, shape_of(sending))
            except SubmitUnclear:
                raise  # may be paid for: `collect` says so when the lease has run out
            except CannotSubmit as refusal:
                self._void(parcel, refusal.problem)
                raise
            self.ledger.transact(partial(recorder.some, raws=[answer]))
