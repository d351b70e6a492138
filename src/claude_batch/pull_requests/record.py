"""What the ledger holds about one pull request: its answers, how far they reach, what they cost."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from claude_batch.costs.budgets import periods
from claude_batch.costs.receipts import ZERO, MonthToDate, Receipt, receipt, reserved_for_lost
from claude_batch.diff.model import Diff, LeftOut
from claude_batch.findings.finding import Finding
from claude_batch.findings.relocation import Past
from claude_batch.git.earlier_commits import Readers
from claude_batch.ledger.events import Answered, Asked, Settled
from claude_batch.ledger.log import asked_of
from claude_batch.ledger.view import Standing, View
from claude_batch.pull_requests.summary import Coverage
from claude_batch.tasks.task import TaskId
from claude_batch.verification.outcomes import PATIENCE

# A second look may take six hours; until then a finding that waits for it is still news.
RECENT = timedelta(hours=8)


def has_news(view: View, pr: int, now: datetime) -> bool:
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


def _news_of(answered: Answered, now: datetime) -> Iterator[datetime]:
    """Its findings may have waited for a second look, and are said without it in the end."""
    yield answered.at
    if answered.findings and answered.at + PATIENCE <= now:
        yield answered.at + PATIENCE


@dataclass(frozen=True)
class Dossier:
    """`current`: the tasks of today's diff; `planned`: those of every plan for it."""

    view: View
    pr: int
    current: frozenset[TaskId]

    @property
    def planned(self) -> frozenset[TaskId]:
        plans = [plan for plan in self.view.plans if plan.pr == self.pr]
        return frozenset(task.id for plan in plans for file in plan.files for task in file.tasks)

    def answers(self) -> list[tuple[Asked, Answered]]:
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

    def past(self, diff: Diff, readers: Readers) -> Past:
        """What places the findings whose tasks are no longer in `diff`."""
        plans = [plan for plan in self.view.plans if plan.pr == self.pr]
        asked = {
            task.id: task
            for request, _ in self.answers()
            for task in request.tasks
            if task.signs  # a folded request has ids only
        }
        return Past(plans, asked, diff, readers)

    def own(self) -> list[tuple[Asked, Answered | Settled]]:
        """What it asked for itself, with what came back. A row that was folded without its intent
        says its lane itself."""
        bare = [(asked_of(row), row) for row in self.view.settled.values() if row.pr == self.pr]
        sendings = self.view.sendings.values()
        return bare + [
            (asked, sending.answers[n])
            for sending in sendings
            for n, asked in sending.requests.items()
            if asked.pr == self.pr and n in sending.answers
        ]

    def coverage(self, head: str, left_out: Sequence[LeftOut]) -> Coverage:
        standing = {task: self.view.standing(task) for task in self.current}
        tally = list(standing.values())
        asked = {
            task.id for row in self.view.rows if row.asked.pr == self.pr for task in row.asked.tasks
        }
        answered = [task for task, how in standing.items() if how is Standing.ANSWERED]
        return Coverage(
            head=head,
            answered=len(answered),
            reused=sum(task not in asked for task in answered),
            pending=tally.count(Standing.IN_FLIGHT) + tally.count(Standing.NEW),
            failed=tally.count(Standing.FAILED),
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
        self, own: Sequence[Answered | Settled], budget: Decimal | None
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
