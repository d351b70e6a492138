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
from claude_batch.ledger.events import AnswerRecorded, RequestRecorded, Submitted
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import LedgerState, TaskStatus
from claude_batch.tasks.task import TaskId

SHORTEST_PREFIX = 6


def check_prefix(prefix: str) -> None:
    """Raises BadUsage for a prefix that could be meant for anything."""
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
    not_sent: str | None = None  # why nothing of it, or no more of it, will be


@dataclass(frozen=True)
class FailedTask:
    """It waits for `retry`."""

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
    standings = {task: state.task_status(task) for task in _tasks(state)}
    _, month = budgets.start_of_day_and_month(now)
    return Status(
        tuple(_row(record, now) for record in state.open_batches()),
        sum(standing is TaskStatus.IN_FLIGHT for standing in standings.values()),
        _failed(state, {task for task, found in standings.items() if found is TaskStatus.FAILED}),
        state.spent(month),
        state.damaged,
        (*batch_warnings(state, now), *unknown_event_warnings(state)),
    )


def list_batches(ledger: Ledger, now: datetime) -> tuple[BatchSummary, ...]:
    """Every batch the ledger remembers, the newest first."""
    state = ledger.view()
    rows = [_row(record, now) for record in state.batch_records.values()]
    return tuple(sorted(rows, key=lambda row: row.created_at, reverse=True))


def show(ledgers: Sequence[Ledger], prefix: str, now: datetime) -> Details:
    """The batch, task or finding whose id starts with `prefix`. Raises BadUsage."""
    check_prefix(prefix)
    found = [one for ledger in ledgers for one in _matches(ledger, prefix, now)]
    if not found:
        raise BadUsage(f"nothing is called {prefix!r}", "see `claude-batch list` for the ids")
    if len(found) > 1:
        raise BadUsage(f"{len(found)} things start with {prefix!r}", "give more of the id")
    return found[0]


def _matches(ledger: Ledger, prefix: str, now: datetime) -> Iterator[Details]:
    state = ledger.view()
    for record in state.batch_records.values():
        row = _row(record, now)
        if row.id.startswith(prefix) or record.intent.id.startswith(prefix):
            asked = sorted(record.requests.items())
            yield BatchDetails(row, tuple((one, record.answers.get(n)) for n, one in asked))
    for task in _tasks(state):
        if task.startswith(prefix):
            pairs = [
                (row.request, row.answer)
                for row in state.requests
                if task in {one.id for one in row.request.tasks}
            ]
            yield TaskDetails(task, state.task_status(task), tuple(pairs))
    answers = [row.answer for row in state.requests if row.answer]
    for finding in ledger.findings(answers):
        if finding.id.startswith(prefix):
            yield finding


def _row(record: BatchRecord, now: datetime) -> BatchSummary:
    fact = record.submitted
    return BatchSummary(
        fact.batch if fact else record.intent.id,
        record.status(now),
        fact.created_at if fact else record.intent.at,
        fact.expires_at if fact else None,
        record.intent.requests,
        sum(len(asked.tasks) for asked in record.requests.values()),
        record.intent.lane,
        record.abandoned.reason if record.abandoned and not record.is_answered() else None,
    )


def _failed(state: LedgerState, failed: Set[TaskId]) -> tuple[FailedTask, ...]:
    found: dict[TaskId, tuple[datetime, FailedTask]] = {}
    for row in state.requests:
        for task in row.request.tasks if row.answer else ():
            last = found.get(task.id)
            if task.id in failed and row.answer and (not last or last[0] <= row.answer.at):
                why = row.answer.error or row.answer.outcome.value
                one = FailedTask(task.id, row.request.kind, task.path, why)
                found[task.id] = row.answer.at, one
    return tuple(one for _, one in found.values())


def _tasks(state: LedgerState) -> list[TaskId]:
    return list(dict.fromkeys(task.id for row in state.requests for task in row.request.tasks))


RESULTS_AVAILABLE = timedelta(days=29)
EXPIRY_WARNING_AFTER = timedelta(hours=20)
LOSS_WARNING_AFTER = timedelta(days=25)


def batch_warnings(state: LedgerState, now: datetime) -> Iterator[str]:
    """A sentence for each open batch with little time left, the same whenever it is said."""
    for record in state.open_batches():
        fact = record.submitted
        if fact is None:
            continue
        if now >= fact.created_at + LOSS_WARNING_AFTER:
            yield _vanishing(fact)
        elif fact.created_at + EXPIRY_WARNING_AFTER <= now < fact.expires_at:
            yield _expiring(fact)


def unknown_event_warnings(state: LedgerState) -> Iterator[str]:
    """A sentence for each type of event that this version does not know."""
    for name, number in sorted(Counter(event.type for event in state.unknown).items()):
        was = "was" if number == 1 else "were"
        yield (
            f"{count(number, 'event')} of the unknown type {name!r} {was} written by a newer "
            "claude-batch"
        )


def _expiring(fact: Submitted) -> str:
    return (
        f"batch {fact.batch} has not ended and will expire at {_time(fact.expires_at)}: what has "
        "no answer by then costs nothing, and `claude-batch collect` asks it once more"
    )


def _vanishing(fact: Submitted) -> str:
    return (
        f"the results of batch {fact.batch} vanish at "
        f"{_time(fact.created_at + RESULTS_AVAILABLE)}: "
        "run `claude-batch collect` before that, or what was paid for is lost"
    )


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
