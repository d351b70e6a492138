"""`status`: what is pending, done, failed, spent; `list` and `show`: the same, one by one."""

from collections.abc import Iterator, Sequence, Set
from datetime import datetime

from claude_batch import budget
from claude_batch.errors import BadUsage
from claude_batch.expiry import warnings
from claude_batch.ledger import Ledger, Standing, View
from claude_batch.sending import Sending
from claude_batch.status import BatchRow, FailedTask, Shown, Status, check_prefix
from claude_batch.task import TaskId


def status(ledger: Ledger, now: datetime) -> Status:
    view = ledger.view()
    standings = {task: view.standing(task) for task in _tasks(view)}
    _, month = budget.periods(now)
    return Status(
        tuple(_row(sending, now) for sending in view.open_batches()),
        sum(standing is Standing.IN_FLIGHT for standing in standings.values()),
        _failed(view, {task for task, found in standings.items() if found is Standing.FAILED}),
        view.spent(month),
        view.damaged,
        tuple(warnings(view, now)),
    )


def list_batches(ledger: Ledger, now: datetime) -> tuple[BatchRow, ...]:
    """Every batch the ledger remembers, the newest first."""
    view = ledger.view()
    rows = [_row(sending, now) for sending in view.sendings.values()]
    return tuple(sorted(rows, key=lambda row: row.created_at, reverse=True))


def show(ledgers: Sequence[Ledger], prefix: str, now: datetime) -> Shown:
    """The batch, task or finding whose id starts with `prefix`. Raises BadUsage."""
    check_prefix(prefix)
    found = [one for ledger in ledgers for one in _matches(ledger, prefix, now)]
    if not found:
        raise BadUsage(f"nothing is called {prefix!r}", "see `claude-batch list` for the ids")
    if len(found) > 1:
        raise BadUsage(f"{len(found)} things start with {prefix!r}", "give more of the id")
    return found[0]


def _matches(ledger: Ledger, prefix: str, now: datetime) -> Iterator[Shown]:
    view = ledger.view()
    for sending in view.sendings.values():
        row = _row(sending, now)
        if row.id.startswith(prefix) or sending.intent.id.startswith(prefix):
            asked = sorted(sending.requests.items())
            yield Shown(row, tuple((one, sending.answers.get(n)) for n, one in asked))
    for task in _tasks(view):
        if task.startswith(prefix):
            pairs = [
                (row.asked, row.answered)
                for row in view.rows
                if task in {one.id for one in row.asked.tasks}
            ]
            yield Shown(requests=tuple(pairs), task=task, standing=view.standing(task))
    answers = [row.answered for row in view.rows if row.answered]
    for finding in ledger.findings(answers):
        if finding.id.startswith(prefix):
            yield Shown(finding=finding)


def _row(sending: Sending, now: datetime) -> BatchRow:
    fact = sending.submitted
    return BatchRow(
        fact.batch if fact else sending.intent.id,
        sending.status(now),
        fact.created_at if fact else sending.intent.at,
        fact.expires_at if fact else None,
        sending.intent.requests,
        sum(len(asked.tasks) for asked in sending.requests.values()),
        sending.intent.lane,
        sending.voided.reason if sending.voided and not sending.is_answered() else None,
    )


def _failed(view: View, failed: Set[TaskId]) -> tuple[FailedTask, ...]:
    found: dict[TaskId, tuple[datetime, FailedTask]] = {}
    for row in view.rows:
        for task in row.asked.tasks if row.answered else ():
            last = found.get(task.id)
            if task.id in failed and row.answered and (not last or last[0] <= row.answered.at):
                why = row.answered.error or row.answered.outcome.value
                one = FailedTask(task.id, row.asked.kind, task.path, why)
                found[task.id] = row.answered.at, one
    return tuple(one for _, one in found.values())


def _tasks(view: View) -> list[TaskId]:
    return list(dict.fromkeys(task.id for row in view.rows for task in row.asked.tasks))
