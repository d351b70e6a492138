"""The time of the latest event since a pull request was last read in full."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from claude_batch.ledger.batch_record import RequestRecord
from claude_batch.ledger.events import Plan
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.check_run import LONGEST_WAIT
from claude_batch.tasks.task import TaskId
from claude_batch.verification.outcomes import VERIFICATION_TIMEOUT


def latest_news(state: LedgerState, now: datetime) -> Mapping[int, datetime]:
    """By planned pull request, when the latest thing happened that may have to be posted.

    Answers and refusals count for every pull request that has the task, whoever sent it.
    """
    plans = {plan.pr: plan for plan in state.plans if plan.pr is not None}
    pulls_by_task: dict[TaskId, list[int]] = {}
    for number, plan in plans.items():
        for task in plan.task_ids:
            pulls_by_task.setdefault(task, []).append(number)
    news = {number: max(_plan_times(state, plan, now)) for number, plan in plans.items()}
    for row in state.requests:
        times = [at for at in _request_times(state, row, now) if at <= now]
        for number in {pr for task in row.request.tasks for pr in pulls_by_task.get(task.id, ())}:
            news[number] = max([news[number], *times])
    for task, at in state.reset_times.items():
        for number in pulls_by_task.get(task, ()):
            news[number] = max(news[number], at)
    return news


def _plan_times(state: LedgerState, plan: Plan, now: datetime) -> Iterator[datetime]:
    yield plan.at
    if plan.at + LONGEST_WAIT <= now:  # with `fail_on` the check run ends then
        yield plan.at + LONGEST_WAIT
    yield from _times(state.unsent.get(plan.id, ()))
    yield from _times(state.job_changes.get(plan.id, ()))
    yield from _times(state.hold_history)
    for at in (plan.not_before, plan.deadline):
        if at and at <= now:  # a wait ends, or the tasks expire
            yield at


def _request_times(state: LedgerState, row: RequestRecord, now: datetime) -> Iterator[datetime]:
    yield row.request.at
    record = state.batch_records.get(row.request.intent)
    if record and record.submitted:
        yield record.submitted.at
    if record and record.abandoned:
        yield record.abandoned.at
    if row.answer:
        yield row.answer.at
        # A finding that waited for its second look is published without it after the timeout.
        if row.answer.findings:
            yield row.answer.at + VERIFICATION_TIMEOUT


def _times(events: Iterable[object]) -> Iterator[datetime]:
    for event in events:
        at = getattr(event, "at", None)
        if isinstance(at, datetime):
            yield at
