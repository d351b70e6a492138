"""What a publish run did, or would do."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.batches.record_answers import load_findings
from claude_batch.config.model import Config
from claude_batch.costs.receipts import Receipt
from claude_batch.diff.model import Diff
from claude_batch.errors import ClaudeBatchError, ThreadsRefused
from claude_batch.findings import placement
from claude_batch.findings.finding import Finding
from claude_batch.findings.placement import Dropped, Placed
from claude_batch.git.earlier_commits import Readers
from claude_batch.github_api.client import GitHubClient
from claude_batch.github_api.models import Pull
from claude_batch.ledger import events as order
from claude_batch.ledger.events import AnswerRecorded, FeedbackRecorded, Post, PullRequestClosed
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests import feedback as life
from claude_batch.pull_requests import review_plan as publication
from claude_batch.pull_requests.feedback import Conversation, CurrentFindings, Feedback, FixedThread
from claude_batch.pull_requests.lease import PublishLease
from claude_batch.pull_requests.poster import PostEvents, ReviewPoster
from claude_batch.pull_requests.record import PullRequestRecord
from claude_batch.pull_requests.review_plan import ExistingComments, ReviewPlan
from claude_batch.pull_requests.selection import Selection, select_findings
from claude_batch.pull_requests.summary import ReviewCoverage
from claude_batch.tasks.task import Task
from claude_batch.verification import outcomes as second_look
from claude_batch.verification.outcomes import UNVERIFIED_ALLOWED, VerificationState

EMPTY = Receipt()


@dataclass(frozen=True)
class PublishResult:
    """Counts of one pull request. `posted` includes the summary comment, as `updated` does."""

    pull_request: int
    posted: int = 0
    updated: int = 0
    unchanged: int = 0
    dropped: tuple[Dropped, ...] = ()
    placed: tuple[Placed, ...] = ()  # the findings that have their lines, folded ones included
    waiting: int = 0  # findings whose second look is open
    failing: bool = False  # a finding stands at or above `fail_on`
    receipt: Receipt = EMPTY
    note: str = ""
    error: ClaudeBatchError | None = None  # this pull request could not be published on
    preview: ReviewPlan | None = None  # with dry_run: what would be done


@dataclass(frozen=True)
class PullRequestState:
    """A pull request as it stands now: its diff, its tasks, its head's files."""

    pull: Pull
    diff: Diff
    tasks: tuple[Task, ...]
    read_head: Callable[[str], bytes | None]
    config: Config
    readers: Readers | None = None  # for findings that were made on earlier heads


@dataclass(frozen=True)
class ReviewInput:
    """What there is to say, and what stands already."""

    chosen: Selection
    trust: VerificationState
    remote: ExistingComments
    coverage: ReviewCoverage
    receipt: Receipt
    opinions: Sequence[Feedback]  # new ones, of people who count
    endings: Sequence[FixedThread]  # comments whose finding is fixed
    note: str  # what could not be seen


@dataclass
class Publisher:
    ledger: Ledger
    forge: GitHubClient
    claude: AnthropicClient
    run: str
    repo: str
    now: Callable[[], datetime]

    def close(self, pull: Pull) -> PublishResult:
        """Never a comment on a closed pull request; that it is closed is remembered."""
        view = self.ledger.view()
        plan = view.plan(pull.number)
        if plan and pull.number not in view.closed:
            at = order.next_timestamp([plan.at], self.now())
            fact = PullRequestClosed(
                at=at, run=self.run, repo=self.repo, pr=pull.number, merged=pull.merged
            )
            self.ledger.transact(lambda view: Write((fact,)))
        dossier = PullRequestRecord(view, pull.number, frozenset())
        findings = self._findings(dossier)
        return PublishResult(
            pull.number,
            dropped=tuple(Dropped(finding, "closed") for finding in findings),
            receipt=dossier.receipt(),
            note=f"pull request {pull.number} is {'merged' if pull.merged else 'closed'}",
        )

    def publish(self, scene: PullRequestState, *, dry_run: bool = False) -> PublishResult:
        number = scene.pull.number
        view = self.ledger.view()
        if view.plan(number) is None:
            return PublishResult(number, note=f"nothing was submitted for pull request {number}")
        if dry_run:
            material = self._collect_input(scene, view)
            would = self._plan(scene, material)
            return replace(self._outcome(scene, material, would), preview=would)
        clock = self.forge.clock(self.now)
        turn = PublishLease(self.ledger, self.repo, self.run, number, clock)
        taken = turn.acquire()
        if taken is None:
            return PublishResult(number, note=f"another run is publishing on pull request {number}")
        leased, until = taken
        facts: list[Post | FeedbackRecorded] = []
        scribe = PostEvents(self.run, self.repo, scene.pull, clock)
        speaker = ReviewPoster(self.forge, scribe, facts, until)
        try:
            return self._post(scene, self._collect_input(scene, leased), speaker)
        finally:  # after a failure too: what stands is recorded, and the next run need not wait
            turn.release(facts)

    def _collect_input(self, scene: PullRequestState, view: LedgerState) -> ReviewInput:
        number = scene.pull.number
        dossier = PullRequestRecord(view, number, frozenset(task.id for task in scene.tasks))
        past = dossier.past(scene.diff, scene.readers) if scene.readers else None
        placed, dropped = placement.place(
            self._findings(dossier), scene.tasks, scene.read_head, past
        )
        remote = ExistingComments(
            [*self.forge.review_comments(number), *self.forge.comments(number)],
            {key: post for (pr, key), post in view.posts.items() if pr == number},
            self.forge.login(),
        )
        talk, note = self._load_conversation(number, remote)
        today = CurrentFindings(view, number, scene.diff, scene.tasks, placed, dropped)
        fixed = {one.fingerprint: one for one in today.fixed(talk.ours.values())}
        opinions = life.new_feedback(talk.opinions(fixed), view, number, self.forge.may_write)
        trust = self._trust(scene, view, placed)
        chosen = select_findings(
            life.prefer_current_diff(placed),
            max_comments=scene.config.max_comments,
            silenced=life.silenced_fingerprints(view.signals, opinions),
            trust=trust,
        )
        coverage = dossier.coverage(scene.pull.head_sha, scene.diff.skipped)
        return ReviewInput(
            chosen._replace(dropped=[*dropped, *chosen.dropped]),
            trust,
            remote,
            replace(coverage, waiting=len(chosen.waiting)),
            dossier.receipt(scene.config.budget.month),
            opinions,
            list(talk.endings(fixed, scene.read_head)),
            note,
        )

    def _load_conversation(self, number: int, remote: ExistingComments) -> tuple[Conversation, str]:
        """What stands around our comments, and why threads cannot be seen if so."""
        ours, note = publication.ours(remote), ""
        talk = Conversation(ours, remote.comments, posts=remote.posts, login=remote.login)
        reacted = [one.id for one in remote.comments if one.path and one.id in ours and one.thumbs]
        reactions = [each for comment in reacted for each in self.forge.reactions(comment)]
        try:
            threads = self.forge.threads(number) if ours else []
        except ThreadsRefused as refusal:
            threads, note = [], refusal.problem
        return replace(talk, reactions=reactions, threads=threads), note

    def _plan(self, scene: PullRequestState, material: ReviewInput) -> ReviewPlan:
        return publication.plan_review(
            material.chosen,
            material.remote,
            scene.diff,
            material.coverage,
            material.receipt,
            fail_on=scene.config.fail_on,
            unverified=material.trust.unverified,
        )

    def _trust(
        self, scene: PullRequestState, view: LedgerState, placed: Iterable[Placed]
    ) -> VerificationState:
        if scene.config.verify is None:
            return UNVERIFIED_ALLOWED
        return second_look.trust(view, (one.finding for one in placed), self.now())

    def _findings(self, dossier: PullRequestRecord) -> list[Finding]:
        pairs = dossier.answers()
        own = [answered for asked, answered in pairs if asked.pr == dossier.pr]
        others = [answered for asked, answered in pairs if asked.pr != dossier.pr]
        found = dossier.concerning(list(self._said(dossier, own)), self._said(dossier, others))
        return list({finding.id: finding for finding in found}.values())

    def _said(
        self, dossier: PullRequestRecord, answers: Sequence[AnswerRecorded]
    ) -> Iterator[Finding]:
        return load_findings(self.ledger, dossier.view, answers, self.claude.results)

    def _post(
        self, scene: PullRequestState, material: ReviewInput, speaker: ReviewPoster
    ) -> PublishResult:
        speaker.record_feedback(material.opinions)
        planned = self._plan(scene, material)
        refused = speaker.post(planned.create)
        if refused:
            told = replace(material.remote, refused={fresh.fingerprint for fresh in refused})
            planned = self._plan(scene, replace(material, remote=told))
        speaker.update(planned)
        note = speaker.resolve(material.endings)
        done = self._outcome(scene, material, planned)
        return replace(done, note=note or done.note)

    def _outcome(
        self, scene: PullRequestState, material: ReviewInput, final: ReviewPlan
    ) -> PublishResult:
        fresh_summary = final.summary_due and final.summary_id is None
        return PublishResult(
            scene.pull.number,
            posted=len(final.create) + fresh_summary,
            updated=len(final.edit) + (final.summary_due and not fresh_summary),
            unchanged=final.unchanged + (final.summary is not None and not final.summary_due),
            dropped=final.dropped,
            placed=(*material.chosen.inline, *material.chosen.summarized),
            failing=final.check.conclusion == "failure",
            waiting=len(material.chosen.waiting),
            receipt=material.receipt,
            note=material.note,
        )
