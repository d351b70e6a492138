"""Do what is due: record plans, send waiting tasks, end what is not wanted any more, publish.

Every run compares the wanted state with the ledger and with GitHub as they are now. So a lost
event, a refused send or a dead job is made up for by the next run, whatever started it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.batches.cancel import CanceledBatches, cancel_records
from claude_batch.config.model import Config, Lane
from claude_batch.errors import (
    BadConfig,
    CannotCollect,
    CannotFetch,
    CannotPublish,
    CannotRead,
    CannotRecord,
    ClaudeBatchError,
)
from claude_batch.git.repository import Repository
from claude_batch.github_api.client import GitHubClient
from claude_batch.github_api.models import DraftCheck, PullRequest
from claude_batch.jobs.transitions import delete_ended_batches
from claude_batch.ledger.events import Installed, Stamp
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.news import latest_news
from claude_batch.pull_requests.publish import Publisher, PublishResult
from claude_batch.pull_requests.record import record_end
from claude_batch.pull_requests.review_input import PullRequestState, load_pull_request
from claude_batch.pull_requests.review_plan import CHECK, body_digest
from claude_batch.reconcile.coverage import skip_reason
from claude_batch.reconcile.decide import decide, due_after_merge, due_publications
from claude_batch.submission.flush import Flusher, FlushResult, Submission
from claude_batch.submission.inputs import build_planner, load_pull_request_scope, load_submission
from claude_batch.submission.scope import PlanOptions, Resubmission
from claude_batch.tasks.discovery import ChangeFinder, with_fresh_base
from claude_batch.waiting.settings import NO_SETTINGS, WaitingSettings
from claude_batch.waiting.task_states import TaskState, read_plan
from claude_batch.waiting.unneeded_batches import unneeded_batches

# Of one run. A workflow's token has 1,000 requests an hour for the whole repository (2026-11), and
# GitHub takes 80 posts a minute.
MAX_REQUESTS = 200
MIN_REMAINING = 300
MAX_PUBLICATIONS = 60  # pull requests

# One of these ends the work on one pull request only, which is tried again by the next run.
FAILURES = (BadConfig, CannotCollect, CannotFetch, CannotPublish, CannotRead, CannotRecord)


@dataclass
class ReconcileResult:
    """The results of the steps. A failure of one pull request is among `problems`."""

    flush: FlushResult = field(default_factory=FlushResult)
    publications: list[PublishResult] = field(default_factory=list)
    canceled: CanceledBatches = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[ClaudeBatchError] = field(default_factory=list)


@dataclass(frozen=True)
class Reconciler:
    repository: Repository
    github: GitHubClient
    anthropic: AnthropicClient
    ledger: Ledger
    config: Config  # of the checkout
    load_config: Callable[[str], Config]  # at the tip of a base branch; raises BadConfig
    stamp: Stamp
    label: str  # that has a pull request answered at once
    started_at: datetime  # before the ledger was read

    def reconcile_pull_request(self, number: int, *, is_labelled: bool = False) -> ReconcileResult:
        """Plan and send one pull request as it is now, whatever its event says.

        With the label its tasks are answered at once. Raises the errors of GitHub and the ledger.
        """
        result = ReconcileResult()
        pull = self.github.get_pull_request(number)
        state = self.ledger.view()
        if state.installed is None:
            opened = self.github.list_open_pull_requests()
            self._record_start(other for other in opened if other.number != number)
        if pull.state != "open":
            self._record_end(pull)
            result.notes.append(f"pull request {number} is {'merged' if pull.merged else 'closed'}")
        elif reason := skip_reason(pull, self.config.forks, self.label, is_labelled=is_labelled):
            result.notes.append(f"pull request {number} is left alone: {reason}")
        else:
            with self._failures(result):
                fresh = self._plan(pull, "now" if is_labelled else None)
                # Only its own tasks: others are sent on the schedule.
                result.flush = self._flusher([pull]).send([fresh])
                result.problems += [error for _, error in result.flush.problems]
        self._cancel_unneeded(result)
        if pull.state == "open" and self.ledger.view().latest_plan(number):
            self._publish(pull, result)
        return result

    def reconcile_all(self) -> ReconcileResult:
        """Do what is due for all covered pull requests, and send all waiting tasks."""
        result = ReconcileResult()
        state = self.ledger.view()
        pulls = self.github.list_open_pull_requests()
        if state.installed is None:
            state = self._record_start(pulls)
        due = decide(state, pulls, self.config.forks, self.label, self.stamp.now())
        for number in due.ended:
            with self._failures(result):
                self._record_end(self.github.get_pull_request(number))
        fresh: list[Submission] = []
        for pull in due.to_plan:
            with self._failures(result):
                fresh.append(self._plan(pull))
        with self._failures(result):
            result.flush = self._flusher(pulls).flush(fresh=fresh)
            result.problems += [error for _, error in result.flush.problems]
        self._cancel_unneeded(result)
        with self._failures(result):
            delete_ended_batches(self.ledger, self.anthropic, self.stamp)
        state = self.ledger.view()
        news = latest_news(state, self.stamp.now())
        waiting = due_publications(state, pulls, news)
        while waiting and self._may_go_on(result):
            self._publish(waiting.pop(0), result)
        if waiting:
            numbers = ", ".join(str(pull.number) for pull in waiting)
            result.notes.append(f"the next run publishes on pull requests {numbers}")
        for number in due_after_merge(state, news, self.stamp.now()):
            if self._may_go_on(result):
                with self._failures(result):
                    self._publish(self.github.get_pull_request(number), result)
        return result

    def _may_go_on(self, result: ReconcileResult) -> bool:
        """False: the rest waits, because the token is shared with the user's own workflows."""
        remaining = self.github.remaining
        return (
            self.github.requests_made < MAX_REQUESTS
            and (remaining is None or remaining >= MIN_REMAINING)
            and len(result.publications) < MAX_PUBLICATIONS
        )

    @contextmanager
    def _failures(self, result: ReconcileResult) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            result.problems.append(error)

    # The start line and the end of pull requests

    def _record_start(self, pulls: Iterable[PullRequest]) -> LedgerState:
        """Record that pull requests that are open now are not covered before their next push."""
        heads = {pull.number: pull.head_sha for pull in pulls}
        event = self.stamp.event(Installed, heads=heads)
        return self.ledger.transact(lambda state: Write() if state.installed else Write((event,)))

    def _record_end(self, pull: PullRequest) -> None:
        """Record that a planned pull request is closed, if it is."""
        if pull.state == "open":
            return
        record_end(self.ledger, pull.number, self.stamp, merged=pull.merged)
        self._end_check(pull.number, "Closed before review")

    def _end_check(self, number: int, title: str) -> None:
        """Let the check run of a head end that nothing more is done for, if it is unfinished."""
        state = self.ledger.view()
        posted = state.posts.get((number, "check"))
        plans = [plan for plan in state.plans if plan.pr == number and posted]
        plan = next((plan for plan in reversed(plans) if posted and plan.head == posted.head), None)
        if plan is None or posted is None:
            return
        readings = read_plan(state, plan, NO_SETTINGS, self.stamp.now()).values()
        if all(reading.state is TaskState.ANSWERED for reading in readings):
            return
        check = DraftCheck(CHECK, posted.head, "neutral", title, "Nothing more is done here.")
        post = posted.model_copy(update={"at": self.stamp.now(), "sha": body_digest(check)})
        if post.sha != posted.sha:
            self.github.write_check_run(check)
            self.ledger.transact(lambda state: Write((post,)))

    def _cancel_unneeded(self, result: ReconcileResult) -> None:
        """Cancel the batches of superseded heads and closed pull requests, if no other plan needs
        them."""
        with self._failures(result):
            batches = [
                record.submitted
                for record in unneeded_batches(self.ledger.view(), self.stamp.now())
                # What a person submitted from a range or from files is left to that person.
                if record.submitted and all(row.pr for row in record.requests.values())
            ]
            if batches:
                result.canceled = cancel_records(
                    self.ledger, self.anthropic, batches, self.stamp.run, self.stamp.now
                )

    # Plans

    def _plan(self, pull: PullRequest, lane: Lane | None = None) -> Submission:
        posted = self.ledger.view().posts.get((pull.number, "check"))
        if posted and posted.head != pull.head_sha:
            self._end_check(pull.number, f"Superseded by {pull.head_sha[:7]}")
        pull = with_fresh_base(self.repository, pull)
        comparison = ChangeFinder(self.repository).compare_pull(self.github, pull)
        config = self.load_config(pull.base_sha)
        if lane:
            config = config.model_copy(update={"lane": lane})
        scope = load_pull_request_scope(
            self.repository,
            pull,
            comparison,
            config,
            repository_name=self.stamp.repo,
            run=self.stamp.run,
            options=PlanOptions(lane=config.plan_lane),
        )
        return Submission(build_planner(config, self.stamp.now()), scope)

    def _flusher(self, pulls: Sequence[PullRequest]) -> Flusher:
        by_number = {pull.number: pull for pull in pulls}

        def load(resubmission: Resubmission) -> Submission:
            pull = by_number.get(resubmission.plan.pr or 0)
            pull = with_fresh_base(self.repository, pull) if pull else None
            config = self.load_config(pull.base_sha) if pull else self.config
            now, run = self.stamp.now(), self.stamp.run
            return load_submission(self.repository, config, resubmission, run, now, pull)

        settings = WaitingSettings.from_config(self.config)
        return Flusher(self.ledger, self.anthropic, settings, self.stamp.now, load)

    # Posts

    def _publish(self, pull: PullRequest, result: ReconcileResult) -> None:
        publication = self.publish(pull)
        if publication.error:
            result.problems.append(publication.error)
        result.publications.append(publication)

    def publish(self, pull: PullRequest, *, dry_run: bool = False) -> PublishResult:
        """Post what is recorded for one pull request. A failure is part of the result."""
        stamp = self.stamp
        publisher = Publisher(
            *(self.ledger, self.github, self.anthropic, stamp.run, stamp.repo, stamp.now),
            read_at=self.started_at,
        )
        try:
            if pull.merged:
                return publisher.publish_merged(self._load_merged(pull))
            if pull.state != "open":
                return publisher.close(pull)
            pull = with_fresh_base(self.repository, pull)
            comparison = ChangeFinder(self.repository).compare_pull(self.github, pull)
            config = self.load_config(pull.base_sha)
            state = self.ledger.view()
            current = load_pull_request(self.repository, pull, comparison, state, config)
            return publisher.publish(current, dry_run=dry_run)
        except FAILURES as error:
            return PublishResult(pull.number, note=error.problem, error=error)

    def _load_merged(self, pull: PullRequest) -> PullRequestState:
        """A merged pull request by its latest plan: its branch has no difference any more."""
        state = self.ledger.view()
        plan = state.latest_plan(pull.number)
        base, head = (plan.base, plan.head) if plan else (None, None)
        if plan is None or base is None or head is None:
            raise CannotRead(
                f"nothing was submitted for pull request {pull.number}",
                "see `claude-batch list` for what was",
            )
        comparison = self.repository.compare_commits(base, head, plan.label, merge_base=base)
        config = self.load_config(pull.base_sha)
        return load_pull_request(self.repository, pull, comparison, state, config)

    def pass_merge_group(self, head: str) -> None:
        """Complete the check of a group in the merge queue at once, and ask nothing."""
        check = DraftCheck(
            name=CHECK,
            head_sha=head,
            conclusion="neutral",
            title="Not reviewed again in the merge queue",
            summary="Each pull request of the group has its own check run.",
        )
        self.github.write_check_run(check)
