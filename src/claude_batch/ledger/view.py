"""Everything we remember: the fold of all events, and the port that every store implements."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property, partial
from typing import overload

from claude_batch.anthropic_api.results import Outcome
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.ledger.batch_record import BatchRecord, build_batch_records
from claude_batch.ledger.events import (
    AnswerRecorded,
    AnyEvent,
    FeedbackRecorded,
    FoldedRequest,
    IntentId,
    Lease,
    Plan,
    Post,
    PullRequestClosed,
    RequestRecorded,
    is_unpriced,
    supersedes,
)
from claude_batch.ledger.lazy_rows import AnyLogFileIndex
from claude_batch.ledger.log import EventIndex, reset_times
from claude_batch.tasks.task import TaskId

ATTEMPTS = 2  # a task that failed this often waits for `retry`


class TaskStatus(StrEnum):
    """How a task stands in the ledger."""

    NEW = "new"
    IN_FLIGHT = "in_flight"
    ANSWERED = "answered"
    FAILED = "failed"


RequestKey = tuple[IntentId, int]  # of a request: its intent and its number there


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request as deduplication and budgets see it."""

    request: RequestRecorded
    answer: AnswerRecorded | None
    is_open: bool

    def charge(self) -> Decimal:
        """Dollars paid or reserved; what was paid and is not known keeps its reservation."""
        reserved = self.request.estimate.usd_max
        if self.answer is None:
            return reserved if self.is_open else ZERO
        if self.answer.usd is not None:
            return self.answer.usd
        return reserved if is_unpriced(self.answer) else ZERO


@dataclass(frozen=True)
class RequestRecords(Sequence[RequestRecord]):
    """Rows by key, each made when it is looked at: on a sheet they cost nothing until then."""

    keys: list[RequestKey]
    load: Callable[[RequestKey], RequestRecord]

    @overload
    def __getitem__(self, at: int) -> RequestRecord: ...
    @overload
    def __getitem__(self, at: slice) -> list[RequestRecord]: ...
    def __getitem__(self, at: int | slice) -> RequestRecord | list[RequestRecord]:
        return (
            [*map(self.load, self.keys[at])] if isinstance(at, slice) else self.load(self.keys[at])
        )

    def __len__(self) -> int:
        return len(self.keys)


@dataclass
class LedgerState:
    """The state at one tip of the ledger. Built once per tip, then only read."""

    batch_records: dict[IntentId, BatchRecord] = field(default_factory=dict)
    folded_requests: dict[tuple[IntentId, int], FoldedRequest] = field(
        default_factory=dict
    )  # without intent
    plans: list[Plan] = field(default_factory=list)
    posts: dict[tuple[int, str], Post] = field(default_factory=dict)
    feedback: list[FeedbackRecorded] = field(default_factory=list)
    closed: dict[int, PullRequestClosed] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    reset_times: dict[TaskId, datetime] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()  # what the store could not read and left alone: "path: why"
    orphans: dict[tuple[IntentId, int], AnswerRecorded] = field(
        default_factory=dict
    )  # intent unreadable
    shards: frozenset[str] = frozenset()  # names of those that the store still holds
    log_sizes: Mapping[str, int] = field(default_factory=dict, compare=False)  # files, their bytes

    @classmethod
    def from_events(
        cls,
        events: Iterable[AnyEvent],
        damaged: tuple[str, ...] = (),
        shards: Iterable[str] = (),
        sheets: Iterable[AnyLogFileIndex] = (),
    ) -> "LedgerState":
        """The fold. The order of events does not matter: the latest `at` wins where one must."""
        log = EventIndex(events, sheets)
        answers = log.lazy_rows(AnswerRecorded)
        sendings = build_batch_records(log, answers)
        settled = log.latest(FoldedRequest, lambda e: (e.intent, e.n))
        orphans = {
            (intent, n): answered
            for intent, rows in answers.items()
            if intent not in sendings
            for n, answered in rows.items()
        }
        _merge(settled, sendings, orphans)
        unread = sorted({f"intent {intent}: answered, but not readable" for intent, _ in orphans})
        return cls(
            batch_records=sendings,
            folded_requests=settled,
            plans=sorted(log.latest(Plan, lambda e: e.id).values(), key=lambda e: (e.at, e.id)),
            posts=log.latest(Post, lambda e: (e.pr, e.key)),
            feedback=log.distinct(FeedbackRecorded),
            closed=log.latest(PullRequestClosed, lambda e: e.pr),
            leases=log.latest(Lease, lambda e: e.scope),
            reset_times=reset_times(log),
            damaged=(*damaged, *unread),
            orphans=orphans,
            shards=frozenset(shards),
        )

    @cached_property
    def requests(self) -> RequestRecords:
        """Every request, folded ones included."""
        sent = [(key, n) for key, sending in self.batch_records.items() for n in sending.requests]
        return RequestRecords([*sent, *self.folded_requests], self._request)

    def request(self, intent: IntentId, n: int) -> RequestRecord | None:
        sending = self.batch_records.get(intent)
        known = n in sending.requests if sending else (intent, n) in self.folded_requests
        return self._request((intent, n)) if known else None

    def _request(self, key: RequestKey) -> RequestRecord:
        intent, n = key
        if intent not in self.batch_records:
            return self._folded[key]
        sending = self.batch_records[intent]
        return RequestRecord(sending.requests[n], sending.answers.get(n), intent in self._open)

    @cached_property
    def _folded(self) -> dict[RequestKey, RequestRecord]:
        """What was folded without its intent."""
        return {
            key: RequestRecord(found.request(), found.answer(), False)
            for key, found in self.folded_requests.items()
        }

    @cached_property
    def _open(self) -> frozenset[IntentId]:
        return frozenset(key for key, sending in self.batch_records.items() if sending.is_open())

    @cached_property
    def _keys_of(self) -> dict[TaskId, list[RequestKey]]:
        index: dict[TaskId, list[RequestKey]] = {}
        for key, row in zip(self.requests.keys, self.requests, strict=True):
            for task in row.request.tasks:
                index.setdefault(task.id, []).append(key)
        return index

    def requests_of(self, task: TaskId) -> Iterator[RequestRecord]:
        """Every request that has this task, second looks included."""
        return map(self._request, self._keys_of.get(task, ()))

    def task_status(self, task: TaskId) -> TaskStatus:
        """A second look asks about findings, so it neither answers its tasks nor occupies them."""
        rows = [row for row in self.requests_of(task) if row.request.purpose != "verify"]
        answers = [row.answer for row in rows if row.answer and self.is_current(task, row.answer)]
        if any(answer.outcome is Outcome.SUCCEEDED for answer in answers):
            return TaskStatus.ANSWERED
        if any(row.is_open and not row.answer for row in rows):
            return TaskStatus.IN_FLIGHT
        final = any(a.outcome is Outcome.ERRORED and not a.retriable for a in answers)
        tries = [answer for answer in answers if answer.outcome is not Outcome.CANCELED]
        return TaskStatus.FAILED if final or len(tries) >= ATTEMPTS else TaskStatus.NEW

    def truncated_tasks(self, ids: Iterable[TaskId]) -> set[TaskId]:
        """Those whose request was refused or truncated: together with others it would be again."""
        return {
            task
            for task in ids
            for row in self.requests_of(task)
            if row.answer
            and row.answer.outcome in (Outcome.REFUSED, Outcome.TRUNCATED)
            and self.is_current(task, row.answer)
        }

    def is_current(self, task: TaskId, answer: AnswerRecorded) -> bool:
        """The task was not forgotten since."""
        forgotten = self.reset_times.get(task)
        return forgotten is None or answer.at > forgotten

    def known_tasks(self, ids: Iterable[TaskId]) -> set[TaskId]:
        """Those in flight, answered or failed."""
        asked = self._keys_of
        return {
            task for task in ids if task in asked and self.task_status(task) is not TaskStatus.NEW
        }

    def open_batches(self) -> list[BatchRecord]:
        """Oldest first."""
        found = [sending for sending in self.batch_records.values() if sending.is_open()]
        return sorted(found, key=lambda sending: (sending.intent.at, sending.intent.id))

    def latest_plan(self, pr: int) -> Plan | None:
        """The latest of this pull request."""
        return next((plan for plan in reversed(self.plans) if plan.pr == pr), None)

    def was_closed(self, pr: int, before: datetime) -> bool:
        """And not submitted again since, as one that was reopened is."""
        closed, plan = self.closed.get(pr), self.latest_plan(pr)
        return closed is not None and closed.at < before and (plan is None or plan.at <= closed.at)

    def spent(self, since: datetime, pr: int | None = None) -> Decimal:
        """Dollars paid at or after `since`, and what is reserved for requests without an answer.

        An answer whose intent is unreadable counts only where no pull request is asked for.
        """
        counted = (
            usd for at, of, usd in self._charges if pr in (None, of) and (at is None or at >= since)
        )
        orphans = self.orphans.values() if pr is None else ()
        return sum(counted, ZERO) + sum(
            (answer.usd or ZERO for answer in orphans if answer.at >= since), ZERO
        )

    @cached_property
    def _charges(self) -> list[tuple[datetime | None, int | None, Decimal]]:
        """When it was answered, whose it is, dollars; of each request."""
        return [
            (row.answer.at if row.answer else None, row.request.pr, row.charge())
            for row in self.requests
        ]

    def answers(self) -> list[tuple[RequestRecorded, AnswerRecorded]]:
        """`answers_of` all tasks."""
        return self.answers_of(self._keys_of)

    def answers_of(self, ids: Iterable[TaskId]) -> list[tuple[RequestRecorded, AnswerRecorded]]:
        """The succeeded answers for any of these tasks, second looks included, oldest first.

        An answer covers all tasks of its request, so it may also speak of other tasks, and of a
        task that was forgotten since. A folded request comes back with the fields that a
        `settled` event keeps: its tasks have ids only, and its estimate is in dollars only.
        """
        found = {
            (row.request.intent, row.request.n): (row.request, row.answer)
            for task in ids
            for row in self.requests_of(task)
            if row.answer
            and row.answer.outcome is Outcome.SUCCEEDED
            and self.is_current(task, row.answer)
        }
        return sorted(found.values(), key=lambda pair: (pair[1].at, pair[1].intent, pair[1].n))

    def anchored_tasks(self) -> dict[TaskId, AnchoredTask]:
        """Tasks with the lines that a succeeded request showed; a folded one has ids only."""
        pairs = self.answers()
        return {task.id: task for asked, _ in pairs for task in asked.tasks if task.signs}

    def lease_holder(self, scope: str, owner: str, now: datetime) -> str | None:
        """Who else is at it; None: `owner` may go ahead."""
        lease = self.leases.get(scope)
        if lease is None or lease.owner == owner:
            return None
        # One that was given back is free for a clock that is behind, too.
        return lease.owner if lease.until > max(now, lease.at) else None


def _merge(
    settled: dict[tuple[IntentId, int], FoldedRequest],
    sendings: dict[IntentId, BatchRecord],
    orphans: dict[tuple[IntentId, int], AnswerRecorded],
) -> None:
    """A folded request joins its sending again. What also stands there raw counts once, and the
    raw events say more; but an answer that came later stands, folded or not."""
    for key in list(settled):
        intent, n = key
        if intent in sendings:
            row, sending = settled.pop(key), sendings[intent]
            batch = sending.submitted.batch if sending.submitted else None
            if n not in sending.requests:
                sending.requests[n] = partial(row.request, sending.intent)
            folded, raw = partial(row.answer, batch), sending.answers.get(n)
            if raw is None or supersedes(folded(), raw):
                sending.answers[n] = folded
        else:
            orphans.pop(key, None)


ZERO = Decimal(0)


def plans_counted_once(view: LedgerState) -> Iterator[Plan]:
    """Those whose reuse counts."""
    seen = set()
    for plan in view.plans:
        key = plan_key(plan)
        if plan.reused and (plan.head is None or key not in seen):
            yield plan
        seen.add(key)


def plan_key(plan: Plan) -> tuple[str, int | None, str, str | None]:
    """What plans that repeat one another have in common."""
    return plan.repo, plan.pr, plan.label, plan.head


KIND = "refactor"


def refactoring_plans(view: LedgerState) -> list[tuple[Plan, frozenset[str]]]:
    """Plans of refactorings outside of pull requests, with the tasks that each of them asked.

    The latest plan that asked a task speaks for it.
    """
    speaker: dict[str, Plan] = {}
    for plan in view.plans:
        if plan.pr is None and plan.head:
            speaker |= {task.id: plan for task in plan.tasks if task.kind == KIND}
    grouped: dict[str, set[str]] = {}
    for task, plan in speaker.items():
        grouped.setdefault(plan.id, set()).add(task)
    return [(plan, frozenset(grouped[plan.id])) for plan in view.plans if plan.id in grouped]
