"""What the ledger holds about one pull request: its answers, how far they reach, what they cost."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from claude_batch.costs.budgets import periods
from claude_batch.costs.receipts import ZERO, MonthToDate, Receipt, receipt, reserved_for_lost
from claude_batch.diff.model import Diff, SkippedFile
from claude_batch.findings.finding import Finding
from claude_batch.findings.relocation import PreviousPlans
from claude_batch.git.earlier_commits import Readers
from claude_batch.ledger.events import AnswerRecorded, FoldedRequest, RequestRecorded
from claude_batch.ledger.log import unfold_request
from claude_batch.ledger.view import LedgerState, TaskStatus
from claude_batch.pull_requests.summary import ReviewCoverage
from claude_batch.tasks.task import TaskId
from claude_batch.verification.outcomes import VERIFICATION_TIMEOUT

# A second look may take six hours; until then a finding that waits for it is still news.
RECENT = timedelta(hours=8)


def has_news(view: LedgerState, pr: int, now: datetime) -> bool:
    """Whether anything was planned or answered since we last wrote on this pull request."""
    plan = view.plan(pr)
    if plan is None:
        return False
    posted = [post.at for (number, _), post in view.posts.items() if number == pr]
    ids = {task.id for file in plan.files for task in file.tasks}
    answers = [
        at
        for row in view.rows
        if row.answered and any(task.id in ids for task in row.asked.tasks)
        for at in _news_of(row.answered, now)
    ]
    return not posted or max([plan.at, *answers]) > max(posted) or now - max(posted) < RECENT


def _news_of(answered: AnswerRecorded, now: datetime) -> Iterator[datetime]:
    """Its findings may have waited for a second look, and are said without it in the end."""
    yield answered.at
    if answered.findings and answered.at + VERIFICATION_TIMEOUT <= now:
        yield answered.at + VERIFICATION_TIMEOUT


@dataclass(frozen=True)
class PullRequestRecord:
    """`current`: the tasks of today's diff; `planned`: those of every plan for it."""

    view: LedgerState
    pr: int
    current: frozenset[TaskId]

    @property
    def planned(self) -> frozenset[TaskId]:
        plans = [plan for plan in self.view.plans if plan.pr == self.pr]
        return frozenset(task.id for plan in plans for file in plan.files for task in file.tasks)

    def answers(self) -> list[tuple[RequestRecorded, AnswerRecorded]]:
        """Those about any task of this pull request, whoever paid for them."""
        return self.view.answers_of(self.current | self.planned)

    def concerning(self, own: Iterable[Finding], others: Iterable[Finding]) -> Iterator[Finding]:
        """Of all that those answers said, what is about this pull request.

        `own` are the findings of answers that it asked for itself: only there an unplaced one is
        known to be about it.
        """
        ids = self.current | self.planned
        yield from (finding for finding in own if finding.task is None or finding.task in ids)
        yield from (finding for finding in others if finding.task in ids)

    def past(self, diff: Diff, readers: Readers) -> PreviousPlans:
        """What places the findings whose tasks are no longer in `diff`."""
        plans = [plan for plan in self.view.plans if plan.pr == self.pr]
        asked = {
            task.id: task
            for request, _ in self.answers()
            for task in request.tasks
            if task.signs  # a folded request has ids only
        }
        return PreviousPlans(plans, asked, diff, readers)

    def own(self) -> list[tuple[RequestRecorded, AnswerRecorded | FoldedRequest]]:
        """What it asked for itself, with what came back. A row that was folded without its intent
        says its lane itself."""
        bare = [
            (unfold_request(row), row) for row in self.view.settled.values() if row.pr == self.pr
        ]
        sendings = self.view.batch_records.values()
        return bare + [
            (asked, sending.answers[n])
            for sending in sendings
            for n, asked in sending.requests.items()
            if asked.pr == self.pr and n in sending.answers
        ]

    def coverage(self, head: str, left_out: Sequence[SkippedFile]) -> ReviewCoverage:
        standing = {task: self.view.task_status(task) for task in self.current}
        tally = list(standing.values())
        asked = {
            task.id for row in self.view.rows if row.asked.pr == self.pr for task in row.asked.tasks
        }
        answered = [task for task, how in standing.items() if how is TaskStatus.ANSWERED]
        return ReviewCoverage(
            head=head,
            answered=len(answered),
            reused=sum(task not in asked for task in answered),
            pending=tally.count(TaskStatus.IN_FLIGHT) + tally.count(TaskStatus.NEW),
            failed=tally.count(TaskStatus.FAILED),
            left_out=tuple(left_out),
        )

    def receipt(self, month_budget: Decimal | None = None) -> Receipt:
        """`month_budget`: the limit in dollars that the month to date is held against."""
        own = self.own()
        answers = [answered for _, answered in own]
        return receipt(answers, self._reused_usd(), reserved_for_lost(own)).model_copy(
            update={"month": self._month(answers, month_budget)}
        )

    def _month(
        self, own: Sequence[AnswerRecorded | FoldedRequest], budget: Decimal | None
    ) -> MonthToDate | None:
        """Up to the newest answer of its own and no further: what others pay later must not edit
        the comment."""
        if not own:
            return None
        until = max(answered.at for answered in own)
        _, start = periods(until)
        answers = [row.answered for row in self.view.rows if row.answered]
        paid = [one.usd for one in answers if one.usd is not None and start <= one.at <= until]
        return MonthToDate(day=until.astimezone(UTC).date(), usd=sum(paid, ZERO), budget_usd=budget)

    def _reused_usd(self) -> Decimal:
        """The share of other pull requests' answers that served this one."""
        total = ZERO
        for asked, answered in self.view.answers_of(self.current):
            if asked.pr != self.pr and answered.usd is not None:
                served = sum(task.id in self.current for task in asked.tasks)
                total += answered.usd * served / len(asked.tasks)
        return total
