"""The ledger's state, computed from its events."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from itertools import chain
from typing import TypeVar

from claude_batch.anthropic_api.results import Outcome
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.ledger.batch_record import (
    ZERO,
    BatchRecord,
    RequestKey,
    RequestRecords,
    build_batch_records,
    find_gaps,
)
from claude_batch.ledger.event_index import AnyLogFileIndex, EventIndex
from claude_batch.ledger.events import (
    AnswerRecorded,
    AnyEvent,
    FeedbackRecorded,
    FoldedRequest,
    Held,
    Installed,
    IntentId,
    JobChanged,
    Lease,
    Plan,
    Post,
    PullRequestClosed,
    PullRequestSeen,
    RequestRecorded,
    TasksReset,
    UnknownEvent,
    Unsent,
)
from claude_batch.tasks.task import TaskId

E = TypeVar("E", Unsent, JobChanged)
PlanKey = tuple[str, int | None, str, str | None]
ATTEMPTS = 2  # a task that failed this often waits for `retry`
REFACTOR = "refactor"  # the kind whose plans become pull requests of their own


class TaskStatus(StrEnum):
    """The status of a task: `new` tasks may be sent."""

    NEW = "new"
    IN_FLIGHT = "in_flight"
    ANSWERED = "answered"
    FAILED = "failed"


@dataclass
class LedgerState:
    """The state at one commit of the ledger. It is built once and then only read."""

    batch_records: dict[IntentId, BatchRecord] = field(default_factory=dict)
    # Folded requests whose intent is not in the ledger; the others are in their batch record.
    folded_requests: dict[RequestKey, FoldedRequest] = field(default_factory=dict)
    plans: list[Plan] = field(default_factory=list)  # oldest first
    posts: dict[tuple[int, str], Post] = field(default_factory=dict)  # by pull request and key
    feedback: list[FeedbackRecorded] = field(default_factory=list)
    closed: dict[int, PullRequestClosed] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    reset_times: dict[TaskId, datetime] = field(default_factory=dict)
    holds: dict[str, Held] = field(default_factory=dict)  # by target; only those that are on
    hold_history: list[Held] = field(default_factory=list)  # oldest first
    unsent: dict[str, list[Unsent]] = field(default_factory=dict)  # by plan, oldest first
    job_changes: dict[str, list[JobChanged]] = field(default_factory=dict)  # by job, oldest first
    installed: Installed | None = None
    seen: dict[int, PullRequestSeen] = field(default_factory=dict)  # by pull request
    unknown: list[UnknownEvent] = field(default_factory=list)  # written by a newer version
    damaged: tuple[str, ...] = ()  # "path: reason" for everything that could not be read
    # The part of `damaged` that may hide a payment.
    money_damage: tuple[str, ...] = ()
    # Answers whose intent or request could not be read.
    orphans: dict[RequestKey, AnswerRecorded] = field(default_factory=dict)
    shards: frozenset[str] = frozenset()  # paths of the stored files of findings
    log_sizes: Mapping[str, int] = field(default_factory=dict, compare=False)  # bytes by path

    @classmethod
    def from_events(
        cls,
        events: Iterable[AnyEvent],
        damaged: tuple[str, ...] = (),
        shards: Iterable[str] = (),
        indexes: Iterable[AnyLogFileIndex] = (),
        money_damage: tuple[str, ...] = (),
    ) -> "LedgerState":
        """The state after these events, in any order."""
        index = EventIndex(events, indexes)
        answers = index.lazy_rows(AnswerRecorded)
        records = build_batch_records(index, answers)
        folded = index.latest(FoldedRequest, lambda row: (row.intent, row.n))
        orphans = {
            (intent, n): rows[n]
            for intent, rows in answers.items()
            for n in rows.keys() - (records[intent].requests.keys() if intent in records else ())
            if (intent, n) not in folded
        }
        for intent, n in [key for key in folded if key[0] in records]:
            records[intent].add_folded(folded.pop((intent, n)))
        unread = [
            *sorted({f"intent {intent}: answered, but not readable" for intent, _ in orphans}),
            *find_gaps(index, records, folded),
        ]
        plans = index.latest(Plan, lambda plan: plan.id).values()
        return cls(
            batch_records=records,
            folded_requests=folded,
            plans=sorted(plans, key=lambda plan: (plan.at, plan.id)),
            posts=index.latest(Post, lambda post: (post.pr, post.key)),
            feedback=index.distinct(FeedbackRecorded),
            closed=index.latest(PullRequestClosed, lambda event: event.pr),
            leases=index.latest(Lease, lambda lease: lease.scope),
            reset_times={
                task: event.at for event in index.distinct(TasksReset) for task in event.tasks
            },
            holds={
                target: held
                for target, held in index.latest(Held, lambda held: held.target).items()
                if held.on
            },
            hold_history=index.distinct(Held),
            unsent=_grouped(index.distinct(Unsent), lambda unsent: unsent.plan),
            job_changes=_grouped(index.distinct(JobChanged), lambda change: change.id),
            installed=min(index.all(Installed), key=lambda event: event.at, default=None),
            seen=index.latest(PullRequestSeen, lambda seen: seen.pr),
            unknown=index.distinct(UnknownEvent),
            damaged=(*damaged, *unread),
            money_damage=(*money_damage, *unread),
            orphans=orphans,
            shards=frozenset(shards),
        )

    # Requests

    @cached_property
    def requests(self) -> RequestRecords:
        """All requests, including folded ones."""
        return RequestRecords(self.batch_records, self.folded_requests)

    def open_batches(self) -> list[BatchRecord]:
        """Oldest first."""
        records = [record for record in self.batch_records.values() if record.is_open()]
        return sorted(records, key=lambda record: (record.intent.at, record.intent.id))

    # Tasks

    def task_status(self, task: TaskId) -> TaskStatus:
        # A second look is about findings: it neither answers its tasks nor keeps them in flight.
        records = [row for row in self.requests.of_task(task) if row.request.purpose != "verify"]
        answers = [
            record.answer
            for record in records
            if record.answer and self.is_current(task, record.answer)
        ]
        if any(answer.outcome is Outcome.SUCCEEDED for answer in answers):
            return TaskStatus.ANSWERED
        if any(record.is_open and not record.answer for record in records):
            return TaskStatus.IN_FLIGHT
        is_final = any(a.outcome is Outcome.ERRORED and not a.retriable for a in answers)
        attempts = [answer for answer in answers if answer.outcome is not Outcome.CANCELED]
        return TaskStatus.FAILED if is_final or len(attempts) >= ATTEMPTS else TaskStatus.NEW

    def known_tasks(self, ids: Iterable[TaskId]) -> set[TaskId]:
        """The tasks that are in flight, answered or failed."""
        return {task for task in ids if self.task_status(task) is not TaskStatus.NEW}

    def truncated_tasks(self, ids: Iterable[TaskId]) -> set[TaskId]:
        """The tasks whose request was refused or truncated. The same request would be again."""
        return {
            task
            for task in ids
            for record in self.requests.of_task(task)
            if record.answer
            and record.answer.outcome in (Outcome.REFUSED, Outcome.TRUNCATED)
            and self.is_current(task, record.answer)
        }

    def is_current(self, task: TaskId, answer: AnswerRecorded) -> bool:
        """True if the task was not reset after this answer."""
        reset_at = self.reset_times.get(task)
        return reset_at is None or answer.at > reset_at

    def answers(self) -> list[tuple[RequestRecorded, AnswerRecorded]]:
        """The succeeded answers for any task, as `answers_of` has them."""
        return self.answers_of(self.requests.keys_by_task)

    def answers_of(self, ids: Iterable[TaskId]) -> list[tuple[RequestRecorded, AnswerRecorded]]:
        """The succeeded answers for any of these tasks, including second looks, oldest first.

        An answer covers all tasks of its request: others too, and some that were reset since. The
        tasks of a folded request have ids only, and its estimate has dollars only.
        """
        pairs = {
            (record.request.intent, record.request.n): (record.request, record.answer)
            for task in ids
            for record in self.requests.of_task(task)
            if record.answer
            and record.answer.outcome is Outcome.SUCCEEDED
            and self.is_current(task, record.answer)
        }
        return sorted(pairs.values(), key=lambda pair: (pair[1].at, pair[1].intent, pair[1].n))

    def anchored_tasks(self) -> dict[TaskId, AnchoredTask]:
        """The tasks whose lines are known: those of succeeded requests that are not folded."""
        pairs = self.answers()
        return {task.id: task for request, _ in pairs for task in request.tasks if task.signs}

    # Plans and pull requests

    @cached_property
    def first_planned(self) -> dict[PlanKey, datetime]:
        """The time of the first plan of each head."""
        times: dict[PlanKey, datetime] = {}
        for plan in self.plans:
            times.setdefault(plan_key(plan), plan.at)
        return times

    def latest_plan(self, pr: int) -> Plan | None:
        return next((plan for plan in reversed(self.plans) if plan.pr == pr), None)

    def was_closed(self, pr: int, before: datetime) -> bool:
        """True if it was closed before then and not submitted again since."""
        closed, plan = self.closed.get(pr), self.latest_plan(pr)
        return closed is not None and closed.at < before and (plan is None or plan.at <= closed.at)

    def lease_holder(self, scope: str, owner: str, now: datetime) -> str | None:
        """The other owner of the lease. None: `owner` may take it."""
        lease = self.leases.get(scope)
        if lease is None or lease.owner == owner:
            return None
        # A lease that was given back ends when it begins: it is free even if `now` is behind.
        return lease.owner if lease.until > max(now, lease.at) else None

    def spent(self, since: datetime, pr: int | None = None) -> Decimal:
        """Dollars paid at or after `since`, and dollars reserved for requests without an answer.

        Answers whose request could not be read count only if `pr` is None.
        """
        own = self._charges.values() if pr is None else [self._charges.get(pr, [])]
        rows = chain.from_iterable(own)
        charges = [usd for at, usd in rows if at is None or at >= since]
        if pr is None:
            charges += (row.usd or ZERO for row in self.orphans.values() if row.at >= since)
        return sum(charges, ZERO)

    @cached_property
    def _charges(self) -> dict[int | None, list[tuple[datetime | None, Decimal]]]:
        """By pull request, for each request the time of its answer and dollars."""
        charges: dict[int | None, list[tuple[datetime | None, Decimal]]] = {}
        for record in self.requests:
            answered_at = record.answer.at if record.answer else None
            charges.setdefault(record.request.pr, []).append((answered_at, record.charge()))
        return charges


def _grouped(events: Iterable[E], key: Callable[[E], str]) -> dict[str, list[E]]:
    groups: dict[str, list[E]] = {}
    for event in events:
        groups.setdefault(key(event), []).append(event)
    return groups


def plans_counted_once(state: LedgerState) -> Iterator[Plan]:
    """The plans with reused tasks; plans that repeat an earlier one are left out."""
    seen = set()
    for plan in state.plans:
        key = plan_key(plan)
        if plan.reused and (plan.head is None or key not in seen):
            yield plan
        seen.add(key)


def plan_key(plan: Plan) -> PlanKey:
    """A plan repeats an earlier one that has the same key."""
    return plan.repo, plan.pr, plan.label, plan.head


def refactoring_plans(state: LedgerState) -> list[tuple[Plan, frozenset[str]]]:
    """The plans of refactorings outside of pull requests, each with its tasks.

    A task that is in several plans belongs to the latest.
    """
    latest: dict[str, Plan] = {}
    for plan in state.plans:
        if plan.pr is None and plan.head:
            latest |= {task.id: plan for task in plan.tasks if task.kind == REFACTOR}
    tasks_of: dict[str, set[str]] = {}
    for task, plan in latest.items():
        tasks_of.setdefault(plan.id, set()).add(task)
    return [(plan, frozenset(tasks_of[plan.id])) for plan in state.plans if plan.id in tasks_of]
