"""Publish the recorded findings of one pull request: comments, summary and check run."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.batches.record_answers import load_findings
from claude_batch.config.model import Config
from claude_batch.costs.receipts import Receipt
from claude_batch.diff.model import Comparison, Diff
from claude_batch.errors import ClaudeBatchError, ThreadsRefused
from claude_batch.findings.finding import Finding
from claude_batch.findings.placement import DroppedFinding, PlacedFinding, place_findings
from claude_batch.git.earlier_commits import HistoryReaders
from claude_batch.git.repository import Repository
from claude_batch.github_api.client import GitHubClient
from claude_batch.github_api.models import PullRequest
from claude_batch.ledger.events import (
    AnswerRecorded,
    FeedbackRecorded,
    Post,
    PullRequestClosed,
    Stamp,
    next_timestamp,
)
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests import marker
from claude_batch.pull_requests.feedback import (
    Conversation,
    CurrentFindings,
    Feedback,
    FixedThread,
    new_feedback,
    prefer_current_diff,
    silenced_fingerprints,
)
from claude_batch.pull_requests.lease import PublishLease
from claude_batch.pull_requests.poster import PostEvents, ReviewPoster
from claude_batch.pull_requests.record import PullRequestRecord
from claude_batch.pull_requests.review_plan import (
    ExistingComments,
    ReviewPlan,
    our_review_comments,
    plan_review,
)
from claude_batch.pull_requests.selection import Selection, select_findings
from claude_batch.pull_requests.summary import ReviewCoverage
from claude_batch.submission.inputs import kinds_including
from claude_batch.tasks.discovery import ChangeFinder
from claude_batch.tasks.task import Task
from claude_batch.verification.outcomes import (
    UNVERIFIED_ALLOWED,
    VerificationState,
    load_verification_state,
)

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


@dataclass(frozen=True)
class PullRequestState:
    """A pull request as it is now: its diff, its tasks and the files of its head."""

    pull: PullRequest
    diff: Diff
    tasks: tuple[Task, ...]
    read_head: Callable[[str], bytes | None]
    config: Config
    readers: HistoryReaders | None = None  # for findings that were made on earlier heads


@dataclass(frozen=True)
class ReviewInput:
    """The selected findings of a pull request, and what is posted there already."""

    selection: Selection
    verification: VerificationState
    existing: ExistingComments
    coverage: ReviewCoverage
    receipt: Receipt
    feedback: Sequence[Feedback]  # new, from people with write access
    fixed_threads: Sequence[FixedThread]
    note: str  # the reason why review threads could not be read, else empty


@dataclass
class Publisher:
    ledger: Ledger
    github: GitHubClient
    anthropic: AnthropicClient
    run: str
    repo: str
    now: Callable[[], datetime]

    def close(self, pull: PullRequest) -> PublishResult:
        """Record that a pull request was closed. Nothing is posted there any more."""
        state = self.ledger.view()
        plan = state.latest_plan(pull.number)
        if plan and pull.number not in state.closed:
            at = next_timestamp([plan.at], self.now())
            stamp = Stamp(self.run, self.repo, lambda: at)
            closed = stamp.event(PullRequestClosed, pr=pull.number, merged=pull.merged)
            self.ledger.transact(lambda state: Write((closed,)))
        record = PullRequestRecord(state, pull.number, frozenset())
        findings = self._findings(record)
        return PublishResult(
            pull.number,
            dropped=tuple(DroppedFinding(finding, "closed") for finding in findings),
            receipt=record.receipt(),
            note=f"pull request {pull.number} is {'merged' if pull.merged else 'closed'}",
        )

    def publish(self, pull_request: PullRequestState, *, dry_run: bool = False) -> PublishResult:
        number = pull_request.pull.number
        state = self.ledger.view()
        if state.latest_plan(number) is None:
            return PublishResult(number, note=f"nothing was submitted for pull request {number}")
        if dry_run:
            review = self._collect_input(pull_request, state)
            plan = self._plan(pull_request, review)
            return replace(self._result(pull_request, review, plan), preview=plan)
        stamp = Stamp(self.run, self.repo, self.github.get_clock(self.now))
        lease = PublishLease(self.ledger, stamp, number)
        acquired = lease.acquire()
        if acquired is None:
            return PublishResult(number, note=f"another run is publishing on pull request {number}")
        leased_state, until = acquired
        events: list[Post | FeedbackRecorded] = []
        poster = ReviewPoster(self.github, PostEvents(stamp, pull_request.pull), events, until)
        try:
            return self._post(pull_request, self._collect_input(pull_request, leased_state), poster)
        finally:
            # After a failure too: what was posted is recorded, and the next run need not wait.
            lease.release(events)

    def _collect_input(self, pull_request: PullRequestState, state: LedgerState) -> ReviewInput:
        number = pull_request.pull.number
        record = PullRequestRecord(state, number, frozenset(task.id for task in pull_request.tasks))
        previous = (
            record.previous_plans(pull_request.diff, pull_request.readers)
            if pull_request.readers
            else None
        )
        placed, dropped = place_findings(
            self._findings(record), pull_request.tasks, pull_request.read_head, previous
        )
        existing = ExistingComments(
            [*self.github.list_review_comments(number), *self.github.list_comments(number)],
            {key: post for (pr, key), post in state.posts.items() if pr == number},
            self.github.get_login(),
        )
        conversation, note = self._load_conversation(number, existing)
        current = CurrentFindings(
            state, number, pull_request.diff, pull_request.tasks, placed, dropped
        )
        fixed = {
            finding.fingerprint: finding
            for finding in current.fixed_findings(conversation.ours.values())
        }
        feedback = new_feedback(
            conversation.feedback(fixed), state, number, self.github.has_write_access
        )
        verification = self._verification(pull_request, state, placed)
        selection = select_findings(
            prefer_current_diff(placed),
            max_comments=pull_request.config.max_comments,
            silenced=silenced_fingerprints(state.feedback, feedback),
            verification=verification,
        )
        coverage = record.coverage(pull_request.pull.head_sha, pull_request.diff.skipped)
        return ReviewInput(
            selection._replace(dropped=[*dropped, *selection.dropped]),
            verification,
            existing,
            replace(coverage, waiting=len(selection.waiting)),
            record.receipt(pull_request.config.budget.month),
            feedback,
            list(conversation.fixed_threads(fixed, pull_request.read_head)),
            note,
        )

    def _load_conversation(
        self, number: int, existing: ExistingComments
    ) -> tuple[Conversation, str]:
        """The replies and reactions to our comments, with the reason if threads cannot be read."""
        ours, note = our_review_comments(existing), ""
        conversation = Conversation(
            ours, existing.comments, posts=existing.posts, login=existing.login
        )
        reacted = [
            comment.id
            for comment in existing.comments
            if comment.path and comment.id in ours and comment.has_thumbs
        ]
        reactions = [
            reaction
            for comment_id in reacted
            for reaction in self.github.list_reactions(comment_id)
        ]
        try:
            threads = self.github.list_threads(number) if ours else []
        except ThreadsRefused as refusal:
            threads, note = [], refusal.problem
        return replace(conversation, reactions=reactions, threads=threads), note

    def _plan(self, pull_request: PullRequestState, review: ReviewInput) -> ReviewPlan:
        return plan_review(
            review.selection,
            review.existing,
            pull_request.diff,
            review.coverage,
            review.receipt,
            fail_on=pull_request.config.fail_on,
            unverified=review.verification.unverified,
        )

    def _verification(
        self, pull_request: PullRequestState, state: LedgerState, placed: Iterable[PlacedFinding]
    ) -> VerificationState:
        if pull_request.config.verify is None:
            return UNVERIFIED_ALLOWED
        return load_verification_state(state, (finding.finding for finding in placed), self.now())

    def _findings(self, record: PullRequestRecord) -> list[Finding]:
        pairs = record.answers()
        own = [answer for request, answer in pairs if request.pr == record.pr]
        others = [answer for request, answer in pairs if request.pr != record.pr]
        found = record.relevant_findings(
            list(self._load_findings(record, own)), self._load_findings(record, others)
        )
        return list({finding.id: finding for finding in found}.values())

    def _load_findings(
        self, record: PullRequestRecord, answers: Sequence[AnswerRecorded]
    ) -> Iterator[Finding]:
        return load_findings(self.ledger, record.state, answers, self.anthropic.stream_results)

    def _post(
        self, pull_request: PullRequestState, review: ReviewInput, poster: ReviewPoster
    ) -> PublishResult:
        poster.record_feedback(review.feedback)
        plan = self._plan(pull_request, review)
        refused = poster.post(plan.create)
        if refused:
            existing = replace(
                review.existing, refused={comment.fingerprint for comment in refused}
            )
            plan = self._plan(pull_request, replace(review, existing=existing))
        poster.update(plan)
        note = poster.resolve(review.fixed_threads)
        result = self._result(pull_request, review, plan)
        return replace(result, note=note or result.note)

    def _result(
        self, pull_request: PullRequestState, review: ReviewInput, plan: ReviewPlan
    ) -> PublishResult:
        creates_summary = plan.summary_due and plan.summary_id is None
        return PublishResult(
            pull_request.pull.number,
            posted=len(plan.create) + creates_summary,
            updated=len(plan.edit) + (plan.summary_due and not creates_summary),
            unchanged=plan.unchanged + (plan.summary is not None and not plan.summary_due),
            dropped=plan.dropped,
            placed=(*review.selection.inline, *review.selection.summarized),
            failing=plan.check.conclusion == "failure",
            waiting=len(review.selection.waiting),
            receipt=review.receipt,
            note=review.note,
        )


def load_pull_request(
    repository: Repository,
    pull: PullRequest,
    comparison: Comparison,
    state: LedgerState,
    config: Config,
) -> PullRequestState:
    """A pull request as it is now. `config` is that of its base branch."""
    finder = ChangeFinder(repository)
    changes = finder.find_changes(comparison, config.exclude)
    recorded = (kind for plan in state.plans if plan.pr == pull.number for kind in plan.kinds)
    head = comparison.head or pull.head_sha
    return PullRequestState(
        pull,
        changes.diff,
        changes.tasks(kinds_including(config, recorded)),
        finder.file_reader(head),
        config,
        finder.earlier_readers(head),
    )


def has_our_comment(github: GitHubClient, number: int) -> bool:
    """True if we have commented on a pull request: then there has been a ledger."""
    login = github.get_login()
    return any(
        comment.login == login and marker.read(comment.body)
        for comment in github.list_comments(number)
    )
