"""`submit`: diff → tasks → minus known → estimate, budget → batches. `estimate` is it, unsent."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from claude_batch.answer import parse_message
from claude_batch.collection import Recorder
from claude_batch.edges.claude import Claude
from claude_batch.errors import CannotSubmit, SubmitUnclear
from claude_batch.event import Submitted, Voided
from claude_batch.ledger import Ledger, View, Write
from claude_batch.submission import (
    Claim,
    Claimant,
    Parcel,
    Sent,
    Subject,
    Submission,
)


def estimate(subject: Subject, claimant: Claimant, ledger: Ledger) -> Submission:
    """What `submit` would do. Raises BudgetExceeded as it would."""
    claim = claimant.claim(ledger.view(), subject)
    if claim.refused:
        raise claim.refused
    return Submission(claim, claimant.config.lane)


def submit(
    subject: Subject,
    claimant: Claimant,
    ledger: Ledger,
    claude: Claude,
    now: Callable[[], datetime],
) -> Submission:
    """Claim in the ledger, send, record. What is claimed is in the ledger before it costs."""
    claim = _claim(subject, claimant, ledger, claude)
    if claim.refused:
        raise claim.refused
    sender = _Sender(subject, claimant, ledger, claude, now)
    return Submission(claim, claimant.config.lane, tuple(sender.send_all(claim.parcels)))


def _claim(subject: Subject, claimant: Claimant, ledger: Ledger, claude: Claude) -> Claim:
    claims: list[Claim] = []

    def decide(view: View) -> Write:
        claims.append(claimant.claim(view, subject))
        if claims[-1].parcels:
            claude.check_key()  # without one nothing can be sent, so nothing is claimed
        return claims[-1].write

    ledger.transact(decide)
    return claims[-1]


@dataclass(frozen=True)
class _Sender:
    subject: Subject
    claimant: Claimant
    ledger: Ledger
    claude: Claude
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
            return Sent(None, len(parcel.drafts), tasks)
        fact = self._create(parcel)
        return Sent(fact.batch, len(parcel.drafts), tasks, fact.expires_at)

    def _create(self, parcel: Parcel) -> Submitted:
        try:
            remote = self.claude.create((draft.custom_id, draft.params) for draft in parcel.drafts)
        except SubmitUnclear:
            raise  # the intent stays: `collect` looks whether the batch is there after all
        except CannotSubmit as refusal:
            self._void(parcel, refusal.problem)
            raise
        fact = Submitted(
            at=self.now(),
            run=self.subject.run,
            repo=self.subject.repo,
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
            run=self.subject.run,
            repo=self.subject.repo,
            intent=parcel.intent.id,
            reason=reason,
        )
        self.ledger.transact(lambda view: Write((fact,)))

    def _ask_all(self, parcel: Parcel) -> None:
        """Lane now: one answer at a time, each recorded before the next is paid for."""
        sending = self.ledger.view().sendings[parcel.intent.id]
        run, prices = self.subject.run, self.claimant.prices
        for draft in parcel.drafts:
            recorder = Recorder(sending, prices, self.now(), run)
            try:
                answer = parse_message(draft.custom_id, self.claude.ask(draft.params))
            except SubmitUnclear:
                raise  # may be paid for: `collect` says so when the lease has run out
            except CannotSubmit as refusal:
                self._void(parcel, refusal.problem)
                raise
            self.ledger.transact(partial(recorder.some, raws=[answer]))
