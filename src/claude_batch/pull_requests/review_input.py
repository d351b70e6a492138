"""The input of a review: the pull request as it is now, its findings, and people's reactions."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.batches.record_answers import load_findings
from claude_batch.config.model import Config
from claude_batch.costs.receipts import Receipt
from claude_batch.diff.model import Comparison, Diff
from claude_batch.errors import ThreadsRefused
from claude_batch.findings.finding import Finding
from claude_batch.findings.placement import DroppedFinding, PlacedFinding, place_findings
from claude_batch.git.earlier_commits import HistoryReaders
from claude_batch.git.repository import Repository
from claude_batch.github_api.client import GitHubClient
from claude_batch.github_api.models import PullRequest
from claude_batch.ledger.events import AnswerRecorded
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.check_run import ReviewCoverage
from claude_batch.pull_requests.feedback import (
    Conversation,
    CurrentFindings,
    Feedback,
    FixedThread,
    new_feedback,
    prefer_current_diff,
    silenced_fingerprints,
)
from claude_batch.pull_requests.record import PullRequestRecord
from claude_batch.pull_requests.review_plan import (
    ExistingComments,
    ReviewPlan,
    our_review_comments,
    plan_review,
)
from claude_batch.pull_requests.selection import Selection, select_findings
from claude_batch.submission.inputs import kinds_including
from claude_batch.submission.plan_record import pinned_kinds
from claude_batch.tasks.discovery import ChangeFinder
from claude_batch.tasks.task import Task
from claude_batch.verification.outcomes import (
    UNVERIFIED_ALLOWED,
    VerificationState,
    load_verification_state,
)
from claude_batch.waiting.settings import WaitingSettings
from claude_batch.waiting.task_states import is_readable


@dataclass(frozen=True)
class PullRequestState:
    """A pull request as it is now: its diff, its tasks and the files of its head."""

    pull: PullRequest
    diff: Diff
    tasks: tuple[Task, ...]
    read_head: Callable[[str], bytes | None]
    config: Config
    readers: HistoryReaders | None = None  # for findings that were made on earlier heads


def load_pull_request(
    repository: Repository,
    pull: PullRequest,
    comparison: Comparison,
    state: LedgerState,
    config: Config,
) -> PullRequestState:
    """Load a pull request. `config` is that of its base branch."""
    finder = ChangeFinder(repository)
    changes = finder.find_changes(comparison, config.exclude)
    head = comparison.head or pull.head_sha
    recorded = (kind for plan in state.plans if plan.pr == pull.number for kind in plan.kinds)
    kinds = kinds_including(config, recorded)
    plan = state.latest_plan(pull.number)
    # A new release or configuration does not change what was planned for this head.
    is_planned = plan is not None and plan.head == head
    return PullRequestState(
        pull,
        changes.diff,
        changes.tasks(pinned_kinds(plan, kinds) if plan and is_planned else kinds),
        finder.file_reader(head),
        config,
        finder.earlier_readers(head),
    )


@dataclass(frozen=True)
class ReviewInput:
    """The selected findings of a pull request, and what is posted there already."""

    pull_request: PullRequestState
    selection: Selection
    verification: VerificationState
    existing: ExistingComments
    coverage: ReviewCoverage
    receipt: Receipt
    feedback: Sequence[Feedback]  # new, from people with write access
    fixed_threads: Sequence[FixedThread]
    note: str  # the reason why review threads could not be read, else empty
    is_whole: bool = True  # False: findings of answers that stand posted cannot be read any more

    def plan(self, refused: Collection[str] = ()) -> ReviewPlan:
        """Plan the review. `refused` are fingerprints of comments that GitHub refused."""
        plan = plan_review(
            self.selection,
            replace(self.existing, refused=refused),
            self.pull_request.diff,
            self.coverage,
            self.receipt,
            fail_on=self.pull_request.config.fail_on,
            unverified=self.verification.unverified,
        )
        if self.is_whole or plan.summary_id is None:
            return plan
        # The summary that stands says more than what can be read now.
        return replace(plan, summary_due=False)

    def is_due(self, plan: ReviewPlan) -> bool:
        """True if anything is to be posted, edited, resolved or recorded."""
        posts = (plan.create, plan.edit, plan.unrecorded, self.feedback, self.fixed_threads)
        return any(posts) or plan.summary_due or plan.check_due


@dataclass(frozen=True)
class ReviewInputLoader:
    ledger: Ledger
    github: GitHubClient
    anthropic: AnthropicClient
    now: Callable[[], datetime]

    def load(self, pull_request: PullRequestState, state: LedgerState) -> ReviewInput:
        number, config, tasks = pull_request.pull.number, pull_request.config, pull_request.tasks
        now = self.now()
        record = PullRequestRecord(state, number, frozenset(task.id for task in tasks))
        placed, dropped = self._place_findings(pull_request, record)
        existing = self._load_comments(number, state)
        conversation, note = self._load_conversation(number, existing)
        current = CurrentFindings(state, number, pull_request.diff, tasks, placed, dropped)
        fixed = current.fixed_findings(conversation.ours.values())
        feedback = new_feedback(
            conversation.feedback(fixed), state, number, self.github.has_write_access
        )
        verification = UNVERIFIED_ALLOWED
        if config.verify is not None:
            findings = (candidate.finding for candidate in placed)
            verification = load_verification_state(state, findings, now)
        selection = select_findings(
            prefer_current_diff(placed),
            max_comments=config.comment_limits.open,
            silenced=silenced_fingerprints(state.feedback, feedback),
            verification=verification,
        )
        coverage = record.coverage(
            pull_request.pull.head_sha,
            pull_request.diff.skipped,
            WaitingSettings.from_config(config),
            now,
        )
        return ReviewInput(
            pull_request,
            selection._replace(dropped=[*dropped, *selection.dropped]),
            verification,
            existing,
            replace(coverage, unverified=len(selection.waiting)),
            record.receipt(config.budget.month),
            feedback,
            list(conversation.fixed_threads(fixed, pull_request.read_head)),
            note,
            all(is_readable(state, answer, now) for _, answer in record.answers()),
        )

    def load_findings(self, record: PullRequestRecord) -> list[Finding]:
        """Load the findings about a pull request, each once."""
        own: list[AnswerRecorded] = []
        others: list[AnswerRecorded] = []
        for request, answer in record.answers():
            (own if request.pr == record.pr else others).append(answer)
        findings = record.relevant_findings(
            *(
                load_findings(self.ledger, record.state, answers, self.anthropic.stream_results)
                for answers in (own, others)
            )
        )
        return list({finding.id: finding for finding in findings}.values())

    def _place_findings(
        self, pull_request: PullRequestState, record: PullRequestRecord
    ) -> tuple[list[PlacedFinding], list[DroppedFinding]]:
        readers = pull_request.readers
        return place_findings(
            self.load_findings(record),
            pull_request.tasks,
            pull_request.read_head,
            record.previous_plans(pull_request.diff, readers) if readers else None,
        )

    def _load_comments(self, number: int, state: LedgerState) -> ExistingComments:
        return ExistingComments(
            [*self.github.list_review_comments(number), *self.github.list_comments(number)],
            {key: post for (pr, key), post in state.posts.items() if pr == number},
            self.github.get_login(),
        )

    def _load_conversation(
        self, number: int, existing: ExistingComments
    ) -> tuple[Conversation, str]:
        """The replies and reactions to our comments, with the reason if threads cannot be read."""
        ours, note = our_review_comments(existing), ""
        reactions = [
            reaction
            for comment in existing.comments
            if comment.path and comment.id in ours and comment.has_thumbs
            for reaction in self.github.list_reactions(comment.id)
        ]
        try:
            threads = self.github.list_threads(number) if ours else []
        except ThreadsRefused as refusal:
            threads, note = [], refusal.problem
        return Conversation(
            ours, existing.comments, reactions, threads, existing.posts, existing.login
        ), note
