"""The moments at which a job may change, read from the ledger."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from itertools import zip_longest

from claude_batch.anthropic_api.results import Outcome
from claude_batch.jobs.request_index import PlanOwners, share_of
from claude_batch.ledger.batch_record import ZERO, RequestKey, RequestRecord
from claude_batch.ledger.events import TICK, IntentId, Plan
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.current_plans import TIME_TO_LIVE, closed_at, plan_subject
from claude_batch.waiting.holds import hold_targets


class Change(IntEnum):
    """In the order in which changes of the same time apply."""

    HELD = 0
    RELEASED = 1
    SENT = 2
    ANSWERED = 3
    ABANDONED = 4
    RESET = 5
    REOPENED = 6
    CANCELLED = 7
    DELETED = 8
    CLOSED = 9
    SUPERSEDED = 10
    BUDGET_REACHED = 11
    NOT_SENT = 12
    TIME_CAME = 13
    EXPIRED = 14
    PUBLISHED = 15


@dataclass(frozen=True, slots=True)
class Moment:
    at: datetime
    change: Change
    tasks: tuple[TaskId, ...] = ()
    key: RequestKey | None = None
    is_own: bool = False  # the request was sent for this job
    failure: RequestRecord | None = None  # the answer was not a success
    usd: Decimal = ZERO  # paid by this job
    target: str = ""  # of a hold

    @property
    def sort_key(self) -> tuple[datetime, Change, str, tuple[str, int]]:
        return self.at, self.change, self.target, self.key or ("", 0)


def moments_by_plan(state: LedgerState, now: datetime) -> dict[str, list[Moment]]:
    """All moments up to now, in order of time."""
    moments: dict[str, list[Moment]] = {plan.id: [] for plan in state.plans}
    for plan_id, moment in _request_moments(state):
        moments[plan_id].append(moment)
    successors = find_successors(state.plans)
    for plan in state.plans:
        moments[plan.id] += _plan_moments(state, plan, successors.get(plan.id))
        moments[plan.id] = sorted(
            (moment for moment in moments[plan.id] if moment.at <= now),
            key=lambda moment: moment.sort_key,
        )
    return moments


# Requests


def _request_moments(state: LedgerState) -> Iterator[tuple[str, Moment]]:
    plans_by_task: dict[TaskId, list[str]] = {}
    for plan in state.plans:
        for task in plan.task_ids:
            plans_by_task.setdefault(task, []).append(plan.id)
    owners, recorded_at = PlanOwners(state.plans), _recording_times(state)
    for key, record in zip(state.requests.keys, state.requests, strict=True):
        own = owners.tasks_by_plan(record.request)
        tasks_by_plan: dict[str, list[TaskId]] = {}
        for asked in record.request.tasks:
            for plan_id in plans_by_task.get(asked.id, ()):
                tasks_by_plan.setdefault(plan_id, []).append(asked.id)
        for plan_id, tasks in tasks_by_plan.items():
            own_tasks = len(own.get(plan_id, ()))
            for moment in _moments_of(state, key, record, tuple(tasks), own_tasks, recorded_at):
                yield plan_id, moment


def _moments_of(
    state: LedgerState,
    key: RequestKey,
    record: RequestRecord,
    tasks: tuple[TaskId, ...],
    own_tasks: int,
    recorded_at: Mapping[tuple[IntentId, str], datetime],
) -> Iterator[Moment]:
    request, answer, batch = record.request, record.answer, state.batch_records.get(key[0])
    changed = () if request.purpose == "verify" else tasks  # a second look answers no task
    # A folded request has the time of its intent, so the others have it here too.
    sent_at = batch.intent.at if batch else request.at
    if changed:
        yield Moment(sent_at, Change.SENT, changed, key, bool(own_tasks))
    if answer:
        yield Moment(
            recorded_at[key[0], answer.run],
            Change.ANSWERED,
            changed,
            key,
            bool(own_tasks),
            None if answer.outcome is Outcome.SUCCEEDED else record,
            share_of(answer.usd or ZERO, own_tasks, len(request.tasks)) if own_tasks else ZERO,
        )
    elif batch and not record.is_open and changed:
        # The ledger's state has no time for a lost batch; it has certainly ended by then.
        expired_at = batch.submitted.expires_at if batch.submitted else batch.intent.lease_until
        ended_at = batch.abandoned.at if batch.abandoned else expired_at
        yield Moment(ended_at, Change.ABANDONED, changed, key)


def _recording_times(state: LedgerState) -> dict[tuple[IntentId, str], datetime]:
    """The time at which a run had recorded its answers of an intent: one step of progress."""
    times: dict[tuple[IntentId, str], datetime] = {}
    for record in state.requests:
        answer = record.answer
        if answer:
            key = (answer.intent, answer.run)
            times[key] = max(times.get(key, answer.at), answer.at)
    return times


# Plans

ACTIONS = {
    "cancelled": Change.CANCELLED,
    "deleted": Change.DELETED,
    "reopened": Change.REOPENED,
}


def _plan_moments(state: LedgerState, plan: Plan, successor: Plan | None) -> Iterator[Moment]:
    targets = hold_targets(plan.id, plan.kinds)
    for held in state.hold_history:
        if held.target in targets:
            yield Moment(held.at, Change.HELD if held.on else Change.RELEASED, target=held.target)
    for change in state.job_changes.get(plan.id, ()):
        yield Moment(change.at, ACTIONS[change.action])
    resets: dict[datetime, list[TaskId]] = {}
    for task in sorted(plan.task_ids & state.reset_times.keys()):
        resets.setdefault(state.reset_times[task], []).append(task)
    for at, tasks in resets.items():
        yield Moment(at, Change.RESET, tuple(tasks))
    for unsent in state.unsent.get(plan.id, ()):
        is_budget = unsent.reason == "budget"
        yield Moment(unsent.at, Change.BUDGET_REACHED if is_budget else Change.NOT_SENT)
    yield from _ends(state, plan, successor)


def _ends(state: LedgerState, plan: Plan, successor: Plan | None) -> Iterator[Moment]:
    closed = closed_at(state, plan)
    if closed:
        yield Moment(closed, Change.CLOSED)
    if successor:
        yield Moment(successor.at, Change.SUPERSEDED)
    if plan.not_before:
        yield Moment(plan.not_before, Change.TIME_CAME)
    if plan.deadline:
        yield Moment(plan.deadline, Change.EXPIRED)
    changes = state.job_changes.get(plan.id, ())
    starts = [plan.at, *(change.at for change in changes if change.action == "reopened")]
    for start, next_start in zip_longest(starts, starts[1:]):
        if next_start is None or next_start - start > TIME_TO_LIVE:
            # At the end of that time it is still wanted.
            yield Moment(start + TIME_TO_LIVE + TICK, Change.EXPIRED)
    published = [
        post.at
        for post in state.posts.values()
        if (post.pr, post.head) == (plan.pr, plan.head)
        and post.at >= plan.at
        and not (successor and successor.head == plan.head and post.at >= successor.at)
    ]
    if published:
        yield Moment(min(published), Change.PUBLISHED)


def find_successors(plans: Iterable[Plan]) -> dict[str, Plan]:
    """The next plan of the same subject, by plan."""
    successors: dict[str, Plan] = {}
    latest: dict[tuple[str, int | None, str], Plan] = {}
    for plan in plans:
        previous = latest.get(plan_subject(plan))
        if previous:
            successors[previous.id] = plan
        latest[plan_subject(plan)] = plan
    return successors
