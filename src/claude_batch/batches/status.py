"""`status`, `list` and `show`: the state of batches, tasks and findings."""

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from claude_batch.costs import budgets
from claude_batch.errors import BadUsage
from claude_batch.findings.finding import Finding
from claude_batch.formatting import count
from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.events import AnswerRecorded, RequestRecorded
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import LedgerState, TaskStatus
from claude_batch.tasks.task import TaskId

SHORTEST_PREFIX = 6


def check_prefix(prefix: str) -> None:
    """Raises BadUsage for a prefix that is too short to choose by."""
    if len(prefix.removeprefix("msgbatch_")) < SHORTEST_PREFIX:
        raise BadUsage(f"{prefix!r} is too short", "give at least six characters of an id")


@dataclass(frozen=True)
class BatchSummary:
    id: str  # the intent's id while there is no batch
    status: str
    created_at: datetime
    expires_at: datetime | None
    requests: int
    tasks: int
    lane: str
    not_sent: str | None = None  # why nothing more of it is sent


@dataclass(frozen=True)
class FailedTask:
    """A task that is not sent again before a `retry`."""

    id: TaskId
    kind: str
    path: str
    reason: str  # of its last answer


@dataclass(frozen=True)
class Status:
    batches: tuple[BatchSummary, ...]
    pending_tasks: int
    failed: tuple[FailedTask, ...]
    spent_usd: Decimal  # this month, UTC
    damaged: tuple[str, ...]
    warnings: tuple[str, ...] = ()


RequestPairs = tuple[tuple[RequestRecorded, AnswerRecorded | None], ...]


@dataclass(frozen=True)
class BatchDetails:
    batch: BatchSummary
    requests: RequestPairs


@dataclass(frozen=True)
class TaskDetails:
    task: TaskId
    status: TaskStatus
    requests: RequestPairs


Details = BatchDetails | TaskDetails | Finding


def status(ledger: Ledger, now: datetime) -> Status:
    state = ledger.view()
    statuses = {task: state.task_status(task) for task in _tasks(state)}
    _, month = budgets.start_of_day_and_month(now)
    return Status(
        tuple(_summarize(record, now) for record in state.open_batches()),
        sum(status is TaskStatus.IN_FLIGHT for status in statuses.values()),
        _failed(state, {task for task, status in statuses.items() if status is TaskStatus.FAILED}),
        state.spent(month),
        state.damaged,
        (*batch_warnings(state, now), *unknown_event_warnings(state)),
    )


def list_batches(ledger: Ledger, now: datetime) -> tuple[BatchSummary, ...]:
    """Every batch the ledger remembers, the newest first."""
    state = ledger.view()
    batches = [_summarize(record, now) for record in state.batch_records.values()]
    return tuple(sorted(batches, key=lambda batch: batch.created_at, reverse=True))


def show(ledgers: Sequence[Ledger], prefix: str, now: datetime) -> Details:
    """The batch, task or finding whose id starts with `prefix`. Raises BadUsage."""
    check_prefix(prefix)
    matches = [match for ledger in ledgers for match in _matches(ledger, prefix, now)]
    if not matches:
        raise BadUsage(f"nothing is called {prefix!r}", "see `claude-batch list` for the ids")
    if len(matches) > 1:
        raise BadUsage(f"{len(matches)} things start with {prefix!r}", "give more of the id")
    return matches[0]


def _matches(ledger: Ledger, prefix: str, now: datetime) -> Iterator[Details]:
    state = ledger.view()
    for record in state.batch_records.values():
        batch = _summarize(record, now)
        if batch.id.startswith(prefix) or record.intent.id.startswith(prefix):
            requests = sorted(record.requests.items())
            pairs = tuple((request, record.answers.get(n)) for n, request in requests)
            yield BatchDetails(batch, pairs)
    for task in _tasks(state):
        if task.startswith(prefix):
            pairs = tuple((row.request, row.answer) for row in state.requests.of_task(task))
            yield TaskDetails(task, state.task_status(task), pairs)
    answers = [row.answer for row in state.requests if row.answer]
    for finding in ledger.findings(answers):
        if finding.id.startswith(prefix):
            yield finding


def _summarize(record: BatchRecord, now: datetime) -> BatchSummary:
    submitted = record.submitted
    return BatchSummary(
        submitted.batch if submitted else record.intent.id,
        record.status(now),
        submitted.created_at if submitted else record.intent.at,
        submitted.expires_at if submitted else None,
        record.intent.requests,
        sum(len(request.tasks) for request in record.requests.values()),
        record.intent.lane,
        record.abandoned.reason if record.abandoned and not record.is_answered() else None,
    )


def _failed(state: LedgerState, failed: Set[TaskId]) -> tuple[FailedTask, ...]:
    latest: dict[TaskId, tuple[datetime, FailedTask]] = {}
    for row in state.requests:
        for task in row.request.tasks if row.answer else ():
            last = latest.get(task.id)
            if task.id in failed and row.answer and (not last or last[0] <= row.answer.at):
                reason = row.answer.error or row.answer.outcome.value
                failed_task = FailedTask(task.id, row.request.kind, task.path, reason)
                latest[task.id] = row.answer.at, failed_task
    return tuple(failed_task for _, failed_task in latest.values())


def _tasks(state: LedgerState) -> list[TaskId]:
    return list(dict.fromkeys(task.id for row in state.requests for task in row.request.tasks))


RESULTS_AVAILABLE = timedelta(days=29)
EXPIRY_WARNING_AFTER = timedelta(hours=20)
LOSS_WARNING_AFTER = timedelta(days=25)


def batch_warnings(state: LedgerState, now: datetime) -> Iterator[str]:
    """Sentences about open batches that expire soon or whose results are deleted soon.

    They do not depend on `now`, so each is shown once while a command waits.
    """
    for record in state.open_batches():
        batch = record.submitted
        if batch is None:
            continue
        if now >= batch.created_at + LOSS_WARNING_AFTER:
            yield (
                f"the results of batch {batch.batch} vanish at "
                f"{_time(batch.created_at + RESULTS_AVAILABLE)}: "
                "run `claude-batch collect` before that, or what was paid for is lost"
            )
        elif batch.created_at + EXPIRY_WARNING_AFTER <= now < batch.expires_at:
            yield (
                f"batch {batch.batch} has not ended and will expire at {_time(batch.expires_at)}: "
                "what has no answer by then costs nothing, and `claude-batch collect` asks it "
                "once more"
            )


def unknown_event_warnings(state: LedgerState) -> Iterator[str]:
    """A sentence for each type of event that this version does not know."""
    for name, number in sorted(Counter(event.type for event in state.unknown).items()):
        was = "was" if number == 1 else "were"
        yield (
            f"{count(number, 'event')} of the unknown type {name!r} {was} written by a newer "
            "claude-batch"
        )


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
