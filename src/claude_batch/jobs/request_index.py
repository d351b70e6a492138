"""Which job each request was sent for, and at what cost."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from claude_batch.anthropic_api.results import Outcome
from claude_batch.costs.entries import SHARE_STEP
from claude_batch.ledger.batch_record import ZERO, RequestKey, RequestRecord
from claude_batch.ledger.events import Plan, RequestRecorded
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import TaskId


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """The part of a request that was sent for one job. The dollars are the share of its tasks."""

    key: RequestKey
    tasks: tuple[TaskId, ...]
    is_verification: bool
    sent_at: datetime
    answered_at: datetime | None
    usd: Decimal
    usd_standard: Decimal

    @property
    def usd_per_task(self) -> Decimal:
        return share_of(self.usd, 1, len(self.tasks))


# Requests in large log files are parsed on each access, so they are read once, and only these
# figures are kept.
@dataclass
class RequestIndex:
    own: dict[str, list[OwnRequest]] = field(default_factory=dict)  # by plan
    first_successes: dict[TaskId, datetime] = field(default_factory=dict)
    expirations: dict[TaskId, datetime] = field(default_factory=dict)  # of open batches

    @classmethod
    def from_state(cls, state: LedgerState) -> "RequestIndex":
        index, owners = cls(), PlanOwners(state.plans)
        for key, record in zip(state.requests.keys, state.requests, strict=True):
            for plan, tasks in owners.tasks_by_plan(record.request).items():
                index.own.setdefault(plan, []).append(_own_request(key, record, tasks))
            if record.request.purpose != "verify":
                index._add_times(state, record)
        return index

    def _add_times(self, state: LedgerState, record: RequestRecord) -> None:
        answer = record.answer
        for task in record.request.tasks:
            if answer and answer.outcome is Outcome.SUCCEEDED:
                first = self.first_successes.get(task.id, answer.at)
                self.first_successes[task.id] = min(first, answer.at)
            elif record.is_open and not answer:
                submitted = state.batch_records[record.request.intent].submitted
                if submitted:
                    last = self.expirations.get(task.id, submitted.expires_at)
                    self.expirations[task.id] = max(last, submitted.expires_at)


class PlanOwners:
    """Finds the plan that each task of a request was sent for: the latest one of its pull request
    that was recorded before the request."""

    def __init__(self, plans: Iterable[Plan]) -> None:
        """`plans`: oldest first."""
        self._plans: dict[tuple[int | None, TaskId], list[Plan]] = {}
        for plan in plans:
            for task in plan.task_ids:
                self._plans.setdefault((plan.pr, task), []).append(plan)

    def tasks_by_plan(self, request: RequestRecorded) -> dict[str, list[TaskId]]:
        tasks: dict[str, list[TaskId]] = {}
        for task in request.tasks:
            plan = self._owner(request, task.id)
            if plan:
                tasks.setdefault(plan.id, []).append(task.id)
        return tasks

    def _owner(self, request: RequestRecorded, task: TaskId) -> Plan | None:
        plans = self._plans.get((request.pr, task), [])
        earlier = (plan for plan in reversed(plans) if plan.at <= request.at)
        # The clocks of two runners may differ, so a plan may seem to be later than its request.
        return next(earlier, plans[0] if plans else None)


def share_of(usd: Decimal, part: int, whole: int) -> Decimal:
    return usd if part == whole else (usd * part / whole).quantize(SHARE_STEP)


def total_usd(requests: Iterable[OwnRequest]) -> tuple[Decimal, Decimal]:
    """Dollars that were paid, and the same at the standard price."""
    usd = usd_standard = ZERO
    for request in requests:
        usd += request.usd
        usd_standard += request.usd_standard
    return usd, usd_standard


def asking(requests: Iterable[OwnRequest]) -> Iterator[OwnRequest]:
    """The requests that are not second looks."""
    return (request for request in requests if not request.is_verification)


def _own_request(key: RequestKey, record: RequestRecord, tasks: list[TaskId]) -> OwnRequest:
    answer, whole = record.answer, len(record.request.tasks)
    usd = (answer.usd if answer else None) or ZERO
    usd_standard = (answer.usd_standard if answer else None) or ZERO
    return OwnRequest(
        key,
        tuple(tasks),
        record.request.purpose == "verify",
        record.request.at,
        answer.at if answer else None,
        share_of(usd, len(tasks), whole),
        share_of(usd_standard, len(tasks), whole),
    )
