"""The lease on a pull request: one run publishes there at a time."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from claude_batch.errors import CannotRecord
from claude_batch.ledger import events as order
from claude_batch.ledger.events import FeedbackRecorded, Lease, Post
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState

LEASE = timedelta(minutes=10)


@dataclass(frozen=True)
class PublishLease:
    """`now` is the forge's clock: those of two runners may differ by more than a lease lasts."""

    ledger: Ledger
    repo: str
    run: str
    number: int
    now: Callable[[], datetime]

    def acquire(self) -> tuple[LedgerState, datetime] | None:
        """The ledger as it stands under the lease, and when that ends; None: another run has it."""
        won = False

        def decide(view: LedgerState) -> Write:
            nonlocal won
            won = view.lease_holder(self._scope, self.run, self.now()) is None
            return Write((self._lease(view, LEASE),)) if won else Write()

        try:
            view = self.ledger.transact(decide)
        except KeyboardInterrupt:  # it may have landed all the same
            with suppress(CannotRecord):  # its ten minutes free it, too
                self.release(patient=False)
            raise
        return (view, view.leases[self._scope].until) if won else None

    def release(
        self, facts: Sequence[Post | FeedbackRecorded] = (), *, patient: bool = True
    ) -> None:
        """Records what was done, and gives the lease back if it is still ours."""

        def decide(view: LedgerState) -> Write:
            lease = view.leases.get(self._scope)
            mine = lease and lease.owner == self.run  # after ten minutes it may be another's
            return Write((*facts, self._lease(view, timedelta())) if mine else tuple(facts))

        self.ledger.transact(decide, patient=patient)

    def _lease(self, view: LedgerState, span: timedelta) -> Lease:
        last = view.leases.get(self._scope)
        at = order.next_timestamp([last.at] if last else [], self.now())
        return Lease(
            at=at, run=self.run, repo=self.repo, scope=self._scope, owner=self.run, until=at + span
        )

    @property
    def _scope(self) -> str:
        return f"publish:{self.number}"
