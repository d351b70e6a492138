"""`status`, `list` and `show`: the state of batches, tasks and findings."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from claude_batch.costs import budgets
from claude_batch.errors import BadUsage
from claude_batch.findings.finding import Finding
from claude_batch.formatting import count
from claude_batch.ledger.batch_record import BatchRecord, RequestKey
from claude_batch.ledger.events import AnswerRecorded, RequestRecorded
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import LedgerState, TaskStatus
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.task_states import RESULTS_AVAILABLE

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
    completed_at: datetime | None = None  # when its last answer was recorded


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


def statuses(ledgers: Iterable[Ledger], now: datetime) -> list[Status]:
    """The status of each ledger. A request that is in two of them is spent in the first."""
    counted: set[RequestKey] = set()
    results: list[Status] = []
    for ledger in ledgers:
        results.append(status(ledger, now, counted))
        counted.update(ledger.view().requests.keys)
    return results


def status(ledger: Ledger, now: datetime, counted: Set[RequestKey] = frozenset()) -> Status:
    """`counted`: requests of another ledger, which are not spent here."""
    state = ledger.view()
    statuses = {task: state.task_status(task) for task in _tasks(state)}
    _, month = budgets.start_of_day_and_month(now)
    return Status(
        tuple(_summarize(record, now) for record in state.open_batches()),
        sum(status is TaskStatus.IN_FLIGHT for status in statuses.values()),
        _failed(state, {task for task, status in statuses.items() if status is TaskStatus.FAILED}),
        state.spent(month) - _spent_on_copies(state, month, counted),
        state.damaged,
        (*batch_warnings(state, now), *unknown_event_warnings(state)),
    )


def _spent_on_copies(state: LedgerState, since: datetime, counted: Set[RequestKey]) -> Decimal:
    copies = (state.requests.find(*key) for key in state.requests.keys if key in counted)
    charges = (copy.charge() for copy in copies if copy and copy.answer and copy.answer.at >= since)
    return sum(charges, Decimal(0))


def list_batches(ledgers: Iterable[Ledger], now: datetime) -> list[BatchSummary]:
    """Every batch that the ledgers remember, the newest first and each once."""
    batches: dict[str, BatchSummary] = {}
    for ledger in ledgers:
        for record in ledger.view().batch_records.values():
            summary = _summarize(record, now)
            batches.setdefault(summary.id, summary)
    return sorted(batches.values(), key=lambda batch: batch.created_at, reverse=True)


def show(ledgers: Sequence[Ledger], prefix: str, now: datetime) -> Details:
    """The batch, task or finding whose id starts with `prefix`. Raises BadUsage."""
    check_prefix(prefix)
    matches = _merge([match for ledger in ledgers for match in _matches(ledger, prefix, now)])
    if not matches:
        raise BadUsage(f"nothing is called {prefix!r}", "see `claude-batch list` for the ids")
    if len(matches) > 1:
        raise BadUsage(f"{len(matches)} things start with {prefix!r}", "give more of the id")
    return matches[0]


def _merge(matches: Iterable[Details]) -> list[Details]:
    """Each batch, task and finding once. A task has the requests of all ledgers."""
    merged: dict[tuple[type[Details], str], Details] = {}
    for match in matches:
        key = type(match), _details_id(match)
        first = merged.setdefault(key, match)
        if isinstance(match, TaskDetails) and isinstance(first, TaskDetails) and first != match:
            pairs = (*match.requests, *first.requests)
            once = {(request.intent, request.n): (request, answer) for request, answer in pairs}
            merged[key] = replace(first, requests=tuple(once.values()))
    return list(merged.values())


def _details_id(details: Details) -> str:
    if isinstance(details, BatchDetails):
        return details.batch.id
    return details.task if isinstance(details, TaskDetails) else details.id


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
        _completed_at(record),
    )


def _completed_at(record: BatchRecord) -> datetime | None:
    if record.is_open() or not record.is_answered():
        return None
    return max((answer.at for answer in record.answers.values()), default=None)


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


EXPIRY_WARNING_AFTER = timedelta(hours=20)
LOSS_WARNING_AFTER = timedelta(days=25)


OVERDUE_AFTER = timedelta(hours=6)  # counted from the expiry
FORGET_AFTER = timedelta(hours=26)  # without news, for a batch of another key


def is_overdue(record: BatchRecord, now: datetime) -> bool:
    """True if the batch should have ended long ago."""
    batch = record.submitted
    return batch is not None and now - batch.expires_at >= OVERDUE_AFTER


def foreign_key_warning(record: BatchRecord, now: datetime) -> Iterator[str]:
    """A sentence about an open batch of another key. It changes once, after FORGET_AFTER."""
    name = record.name
    text = (
        f"batch {name} was sent with another key, of the scope {record.intent.scope}: it is in "
        "flight, and only that key can collect it"
    )
    if now - record.latest_news >= FORGET_AFTER:
        text += f"; `claude-batch cancel --forget {name}` gives it up, possibly paid twice"
    yield text


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
        elif is_overdue(record, now):
            yield (
                f"batch {batch.batch} was to end by {_time(batch.expires_at)}, and the API has "
                f"not ended it: `claude-batch cancel {batch.batch}` asks for its end"
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
