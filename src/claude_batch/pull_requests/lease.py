"""The lease on a pull request: one run publishes there at a time."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from claude_batch.errors import CannotRecord
from claude_batch.ledger import events as order
from claude_batch.ledger.events import Lease, Post, Signal
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import View

LEASE = timedelta(minutes=10)


@dataclass(frozen=True)
class Turn:
    """`now` is the forge's clock: those of two runners may differ by more than a lease lasts."""

    ledger: Ledger
    repo: str
    run: str
    number: int
    now: Callable[[], datetime]

    def take(self) -> tuple[View, datetime] | None:
        """The ledger as it stands under the lease, and when that ends; None: another run has it."""
        won = False

        def decide(view: View) -> Write:
            nonlocal won
            won = view.lease_holder(self._scope, self.run, self.now()) is None
            return Write((self._lease(view, LEASE),)) if won else Write()

        try:
            view = self.ledger.transact(decide)
        except KeyboardInterrupt:  # it may have landed all the same
            with suppress(CannotRecord):  # its ten minutes free it, too
                self.end(patient=False)
            raise
        return (view, view.leases[self._scope].until) if won else None

    def end(self, facts: Sequence[Post | Signal] = (), *, patient: bool = True) -> None:
        """Records what was done, and gives the lease back if it is still ours."""

        def decide(view: View) -> Write:
            lease = view.leases.get(self._scope)
            mine = lease and lease.owner == self.run  # after ten minutes it may be another's
            return Write((*facts, self._lease(view, timedelta())) if mine else tuple(facts))

        self.ledger.transact(decide, patient=patient)

    def _lease(self, view: View, span: timedelta) -> Lease:
        last = view.leases.get(self._scope)
        at = order.after([last.at] if last else [], self.now())
        return Lease(
            at=at, run=self.run, repo=self.repo, scope=self._scope, owner=self.run, until=at + span
        )

    @property
    def _scope(self) -> str:
        return f"publish:{self.number}"
