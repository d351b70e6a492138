"""What follows a collect: what expired, or failed in passing, is asked once more."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from claude_batch.errors import BudgetExceeded, CannotFetch, CannotRead, CannotSubmit
from claude_batch.follow_up import Followed
from claude_batch.ledger import Ledger
from claude_batch.parcel import Sent
from claude_batch.resubmission import Again, due
from claude_batch.subject import Subject
from claude_batch.submission import Submission


@dataclass(frozen=True)
class Resubmitter:
    ledger: Ledger
    subject: Callable[[Again], Subject]  # raises CannotFetch, CannotRead
    submit: Callable[[Subject], Submission]
    now: Callable[[], datetime]

    def send(self) -> Followed:
        """Trouble with one plan is a note; its tasks wait for the next collect or submit."""
        sent: list[Sent] = []
        notes: list[str] = []
        for again in due(self.ledger.view(), self.now()):
            try:
                sent += self.submit(self.subject(again)).sent
            except (BudgetExceeded, CannotFetch, CannotRead, CannotSubmit) as refusal:
                notes.append(f"{again.plan.label} is not asked again: {refusal.problem}")
        return Followed(tuple(sent), notes=tuple(notes))
