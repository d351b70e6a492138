"""The ledger's record of one pull request: its answers, their coverage and their cost."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from claude_batch.costs.budgets import start_of_day_and_month
from claude_batch.costs.receipts import (
    ZERO,
    MonthToDate,
    Receipt,
    build_receipt,
    sum_lost_reservations,
)
from claude_batch.diff.model import Diff, SkippedFile
from claude_batch.findings.finding import Finding
from claude_batch.findings.relocation import PreviousPlans
from claude_batch.git.earlier_commits import HistoryReaders
from claude_batch.ledger.events import (
    AnswerRecorded,
    FoldedRequest,
    Plan,
    PullRequestClosed,
    RequestRecorded,
    Stamp,
    next_timestamp,
)
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.check_run import ReviewCoverage, read_coverage
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.current_plans import is_cancelled, is_closed, is_too_old
from claude_batch.waiting.settings import WaitingSettings
from claude_batch.waiting.task_states import TaskReading, TaskState, WaitingReason, read_plan


@dataclass(frozen=True)
class PullRequestRecord:
    """`current_tasks`: those of the current diff; `planned_tasks`: those of all its plans."""

    state: LedgerState
    pr: int
    current_tasks: frozenset[TaskId]

    @property
    def plans(self) -> list[Plan]:
        return [plan for plan in self.state.plans if plan.pr == self.pr]

    @property
    def planned_tasks(self) -> frozenset[TaskId]:
        return frozenset(task for plan in self.plans for task in plan.task_ids)

    def answers(self) -> list[tuple[RequestRecorded, AnswerRecorded]]:
        """The answers for any task of this pull request, also those that others paid for."""
        return self.state.answers_of(self.current_tasks | self.planned_tasks)

    def relevant_findings(
        self, own: Iterable[Finding], others: Iterable[Finding]
    ) -> Iterator[Finding]:
        """The findings about this pull request.

        `own` are findings of its own requests, `others` of requests of other pull requests.
        """
        ids = self.current_tasks | self.planned_tasks
        # Only in its own answers a finding without a task is known to be about it.
        yield from (finding for finding in own if finding.task is None or finding.task in ids)
        yield from (finding for finding in others if finding.task in ids)

    def previous_plans(self, diff: Diff, readers: HistoryReaders) -> PreviousPlans:
        """The plans that locate findings whose tasks are not in `diff`."""
        tasks = {
            task.id: task
            for request, _ in self.answers()
            for task in request.tasks
            if task.signs  # a folded request has ids only
        }
        return PreviousPlans(self.plans, tasks, diff, readers)

    def own_requests(self) -> list[tuple[RequestRecorded, AnswerRecorded | FoldedRequest]]:
        """Its own requests with their answers."""
        folded = [
            (row.request(), row) for row in self.state.folded_requests.values() if row.pr == self.pr
        ]
        batches = self.state.batch_records.values()
        return folded + [
            (request, batch.answers[n])
            for batch in batches
            for n, request in batch.requests.items()
            if request.pr == self.pr and n in batch.answers
        ]

    def coverage(
        self, head: str, left_out: Sequence[SkippedFile], settings: WaitingSettings, now: datetime
    ) -> ReviewCoverage:
        """The tasks of the current diff. Those that are in no plan yet wait for the next run."""
        plan = self.plans[-1]
        readings = read_plan(self.state, plan, settings, now)
        if is_cancelled(self.state, plan) or is_too_old(self.state, plan, now):
            gone = TaskReading(TaskState.CANCELLED)
            waits = TaskState.WAITING
            readings = {task: gone if r.state is waits else r for task, r in readings.items()}
        if plan.head != head:
            unplanned = TaskReading(TaskState.WAITING, WaitingReason.NEXT_RUN)
            readings = {task: readings.get(task, unplanned) for task in self.current_tasks}
        return replace(read_coverage(self.state, plan, readings, tuple(left_out), now), head=head)

    def receipt(self, month_budget: Decimal | None = None) -> Receipt:
        """`month_budget`: the limit in dollars that is shown beside the month to date."""
        own = self.own_requests()
        answers = [answer for _, answer in own]
        return build_receipt(answers, self._reused_usd(), sum_lost_reservations(own)).model_copy(
            update={"month": self._month(answers, month_budget)}
        )

    def _month(
        self, own: Sequence[AnswerRecorded | FoldedRequest], budget: Decimal | None
    ) -> MonthToDate | None:
        if not own:
            return None
        # Up to its newest answer: later costs of other pull requests must not edit the comment.
        until = max(answer.at for answer in own)
        _, start = start_of_day_and_month(until)
        answers = [row.answer for row in self.state.requests if row.answer]
        paid = [
            answer.usd
            for answer in answers
            if answer.usd is not None and start <= answer.at <= until
        ]
        return MonthToDate(day=until.astimezone(UTC).date(), usd=sum(paid, ZERO), budget_usd=budget)

    def _reused_usd(self) -> Decimal:
        """The cost of the tasks that other pull requests had paid for."""
        total = ZERO
        for request, answer in self.state.answers_of(self.current_tasks):
            if request.pr != self.pr and answer.usd is not None:
                reused = sum(task.id in self.current_tasks for task in request.tasks)
                total += answer.usd * reused / len(request.tasks)
        return total


def record_end(ledger: Ledger, number: int, stamp: Stamp, *, merged: bool) -> None:
    """Record that a planned pull request is closed, unless that is recorded."""

    def decide(state: LedgerState) -> Write:
        plan = state.latest_plan(number)
        if plan is None or is_closed(state, plan):
            return Write()
        at = next_timestamp([plan.at], stamp.now())
        return Write((stamp.event(PullRequestClosed, at=at, pr=number, merged=merged),))

    ledger.transact(decide)
