"""The lease on a pull request: one run publishes there at a time."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from claude_batch.errors import CannotRecord
from claude_batch.ledger.events import (
    FeedbackRecorded,
    Lease,
    Post,
    PullRequestSeen,
    Stamp,
    next_timestamp,
)
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState

LEASE = timedelta(minutes=10)


@dataclass(frozen=True)
class PublishLease:
    """The lease of one run on one pull request, in the ledger."""

    ledger: Ledger
    stamp: Stamp  # with GitHub's clock: those of two runners may differ by more than a lease
    pull_request: int

    def acquire(self) -> tuple[LedgerState, datetime] | None:
        """The ledger's state under the lease and the lease's end; None if another run holds it."""
        is_acquired = False

        def decide(state: LedgerState) -> Write:
            nonlocal is_acquired
            is_acquired = state.lease_holder(self._scope, self.stamp.run, self.stamp.now()) is None
            return Write((self._lease(state, LEASE),)) if is_acquired else Write()

        try:
            state = self.ledger.transact(decide)
        except KeyboardInterrupt:  # the write may have reached the remote all the same
            with suppress(CannotRecord):  # if releasing fails, the lease ends after ten minutes
                self.release(patient=False)
            raise
        return (state, state.leases[self._scope].until) if is_acquired else None

    def release(
        self,
        events: Sequence[Post | FeedbackRecorded | PullRequestSeen] = (),
        *,
        patient: bool = True,
    ) -> None:
        """Record the events, and release the lease if this run still holds it."""

        def decide(state: LedgerState) -> Write:
            lease = state.leases.get(self._scope)
            # After ten minutes another run may hold it.
            is_ours = lease and lease.owner == self.stamp.run
            return Write((*events, self._lease(state, timedelta())) if is_ours else tuple(events))

        self.ledger.transact(decide, patient=patient)

    def _lease(self, state: LedgerState, span: timedelta) -> Lease:
        last = state.leases.get(self._scope)
        at = next_timestamp([last.at] if last else [], self.stamp.now())
        return self.stamp.event(
            Lease, at=at, scope=self._scope, owner=self.stamp.run, until=at + span
        )

    @property
    def _scope(self) -> str:
        return f"publish:{self.pull_request}"
