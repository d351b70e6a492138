"""Publish the recorded findings of one pull request: comments, summary and check run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.costs.receipts import Receipt
from claude_batch.errors import ClaudeBatchError
from claude_batch.findings.placement import DroppedFinding, PlacedFinding
from claude_batch.github_api.client import GitHubClient
from claude_batch.github_api.models import PullRequest
from claude_batch.ledger.events import (
    PullRequestSeen,
    Stamp,
)
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.comment import MERGED
from claude_batch.pull_requests.lease import PublishLease
from claude_batch.pull_requests.merged import find_late_findings, render_late_findings
from claude_batch.pull_requests.poster import ReviewPoster
from claude_batch.pull_requests.record import PullRequestRecord, record_end
from claude_batch.pull_requests.review_input import (
    PullRequestState,
    ReviewInput,
    ReviewInputLoader,
)
from claude_batch.pull_requests.review_plan import ReviewPlan

EMPTY = Receipt()


@dataclass(frozen=True)
class PublishResult:
    """Counts of one pull request. `posted` includes the summary comment, as `updated` does."""

    pull_request: int
    posted: int = 0
    updated: int = 0
    unchanged: int = 0
    dropped: tuple[DroppedFinding, ...] = ()
    # The findings that have their lines, those in the summary included.
    placed: tuple[PlacedFinding, ...] = ()
    waiting: int = 0  # findings whose second look is open
    failing: bool = False  # a finding stands at or above `fail_on`
    receipt: Receipt = EMPTY
    note: str = ""
    error: ClaudeBatchError | None = None  # the reason why publishing failed
    preview: ReviewPlan | None = None  # with dry_run only


@dataclass
class Publisher:
    ledger: Ledger
    github: GitHubClient
    anthropic: AnthropicClient
    run: str
    repo: str
    now: Callable[[], datetime]
    # When the ledger was read: what others record after it is not published yet. None: it is
    # read when a pull request is published.
    read_at: datetime | None = None

    @property
    def _loader(self) -> ReviewInputLoader:
        return ReviewInputLoader(self.ledger, self.github, self.anthropic, self.now)

    def publish(self, pull_request: PullRequestState, *, dry_run: bool = False) -> PublishResult:
        number = pull_request.pull.number
        read_at = self.read_at or self.now()
        state = self.ledger.view()
        if state.latest_plan(number) is None:
            return PublishResult(number, note=f"nothing was submitted for pull request {number}")
        review = self._loader.load(pull_request, state)
        plan = review.plan()
        if dry_run:
            return replace(_build_result(review, plan), preview=plan)
        if not review.is_due(plan):
            seen = self._seen(pull_request.pull, read_at)
            self.ledger.transact(lambda state: Write((seen,)))
            return _build_result(review, plan)
        with self._lease(pull_request.pull) as leased:
            if leased is None:
                return PublishResult(number, note=_busy(pull_request.pull))
            leased_state, poster = leased
            if leased_state.posts != state.posts:  # another run has posted in between
                review = self._loader.load(pull_request, leased_state)
            result = _post(review, poster)
            poster.events.append(self._seen(pull_request.pull, read_at))
            return result

    def publish_merged(self, merged: PullRequestState) -> PublishResult:
        """Post the grave findings that came after the merge, as one comment and once.

        Nothing is posted before every task is finished, so that there is no second comment.
        """
        pull, read_at = merged.pull, self.read_at or self.now()
        state = self.ledger.view()
        review = self._loader.load(merged, state)
        result = PublishResult(pull.number, receipt=review.receipt, note=review.note)
        late = find_late_findings(review, state)
        is_posted = (pull.number, MERGED) in state.posts
        is_off = not merged.config.comment_limits.merged
        if is_off or is_posted or not late or review.coverage.pending:
            seen = self._seen(pull, read_at)
            self.ledger.transact(lambda state: Write((seen,)))
            return result
        with self._lease(pull) as leased:
            if leased is None:
                return replace(result, note=_busy(pull))
            leased_state, poster = leased
            if (pull.number, MERGED) in leased_state.posts:
                return result
            poster.post_once(MERGED, render_late_findings(late))
            poster.events.append(self._seen(pull, read_at))
            return replace(result, posted=1)

    @contextmanager
    def _lease(self, pull: PullRequest) -> Iterator[tuple[LedgerState, ReviewPoster] | None]:
        """The ledger's state under the lease and a poster; None if another run holds the lease."""
        stamp = Stamp(self.run, self.repo, self.github.get_clock(self.now))
        lease = PublishLease(self.ledger, stamp, pull.number)
        acquired = lease.acquire()
        if acquired is None:
            yield None
            return
        state, until = acquired
        poster = ReviewPoster(self.github, pull, stamp, [], until)
        try:
            yield state, poster
        finally:
            # After a failure too: what was posted is recorded, and the next run need not wait.
            lease.release(poster.events)

    def _seen(self, pull: PullRequest, read_at: datetime) -> PullRequestSeen:
        return PullRequestSeen(
            at=read_at,
            run=self.run,
            repo=self.repo,
            pr=pull.number,
            head=pull.head_sha,
            base_ref=pull.base_ref,
            updated_at=pull.updated_at,
        )

    def close(self, pull: PullRequest) -> PublishResult:
        """Record that a pull request was closed. Nothing is posted there any more."""
        state = self.ledger.view()
        stamp = Stamp(self.run, self.repo, self.now)
        record_end(self.ledger, pull.number, stamp, merged=pull.merged)
        record = PullRequestRecord(state, pull.number, frozenset())
        findings = self._loader.load_findings(record)
        return PublishResult(
            pull.number,
            dropped=tuple(DroppedFinding(finding, "closed") for finding in findings),
            receipt=record.receipt(),
            note=f"pull request {pull.number} is {'merged' if pull.merged else 'closed'}",
        )


def is_seen(state: LedgerState, pull: PullRequest) -> bool:
    """True if the pull request is as it was when it was last read in full."""
    seen = state.seen.get(pull.number)
    return seen is not None and (seen.head, seen.base_ref, seen.updated_at) == (
        pull.head_sha,
        pull.base_ref,
        pull.updated_at,
    )


def _busy(pull: PullRequest) -> str:
    return f"another run is publishing on pull request {pull.number}"


def _post(review: ReviewInput, poster: ReviewPoster) -> PublishResult:
    for feedback in review.feedback:
        poster.record_feedback(feedback.fingerprint, feedback.what)
    plan = review.plan()
    refused = poster.post(plan.create)
    if refused:  # they go to the summary
        plan = review.plan({comment.fingerprint for comment in refused})
    poster.update(plan)
    note = poster.resolve(review.fixed_threads)
    result = _build_result(review, plan)
    return replace(result, note=note or result.note)


def _build_result(review: ReviewInput, plan: ReviewPlan) -> PublishResult:
    creates_summary = plan.summary_due and plan.summary_id is None
    return PublishResult(
        review.pull_request.pull.number,
        posted=len(plan.create) + creates_summary,
        updated=len(plan.edit) + (plan.summary_due and not creates_summary),
        unchanged=plan.unchanged + (plan.summary is not None and not plan.summary_due),
        dropped=plan.dropped,
        placed=(*review.selection.inline, *review.selection.summarized),
        failing=plan.failing,
        waiting=len(review.selection.waiting),
        receipt=review.receipt,
        note=review.note,
    )
