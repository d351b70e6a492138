"""`retry`: lets tasks be asked again that have failed too often, or, on demand, were answered."""

from collections.abc import Collection, Iterable

from claude_batch.batches.status import check_prefix
from claude_batch.errors import BadUsage
from claude_batch.ledger import events as order
from claude_batch.ledger.events import Stamp, TasksReset
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState, TaskStatus
from claude_batch.tasks.task import TaskId


def retry(
    ledgers: Iterable[Ledger],
    prefixes: Collection[str],
    *,
    reanswer: bool,
    stamp: Stamp,
) -> list[TaskId]:
    """Frees tasks by id or by the id of their batch; without any, all that failed."""
    if reanswer and not prefixes:
        raise BadUsage(
            "--reanswer pays again for what it names, and it names nothing",
            "give the ids of the tasks or batches; `claude-batch list` shows them",
        )
    for prefix in prefixes:
        check_prefix(prefix)
    named = [(ledger, _named(ledger.view(), prefixes)) for ledger in ledgers]
    for prefix in prefixes:
        if not any(_named(ledger.view(), [prefix]) for ledger, _ in named):
            raise BadUsage(
                f"no task or batch is called {prefix!r}", "see `claude-batch list` for the ids"
            )
    freed = (task for ledger, tasks in named for task in _free(ledger, tasks, reanswer, stamp))
    return list(dict.fromkeys(freed))


def _free(
    ledger: Ledger, named: Iterable[TaskId], reanswer: bool, stamp: Stamp
) -> tuple[TaskId, ...]:
    freed: tuple[TaskId, ...] = ()

    def decide(view: LedgerState) -> Write:
        nonlocal freed
        freed = tuple(task for task in named if _may(view, task, reanswer))
        reason = "reanswer" if reanswer else "retry"
        return Write((_reset(view, freed, reason, stamp),)) if freed else Write()

    ledger.transact(decide)
    return freed


def _reset(view: LedgerState, tasks: tuple[TaskId, ...], reason: str, stamp: Stamp) -> TasksReset:
    answers = (row.answered for task in tasks for row in view.rows_of(task))
    at = order.next_timestamp((answer.at for answer in answers if answer), stamp.now())
    return stamp.event(TasksReset, at=at, tasks=tasks, reason=reason)


def _named(view: LedgerState, prefixes: Collection[str]) -> list[TaskId]:
    found: dict[TaskId, None] = {}
    starts = tuple(prefixes)
    for sending in view.batch_records.values():
        names = [sending.intent.id, sending.submitted.batch if sending.submitted else ""]
        whole = not prefixes or any(name.startswith(starts) for name in names)
        for asked in sending.requests.values():
            found |= {task.id: None for task in asked.tasks if whole or task.id.startswith(starts)}
    return list(found)


def _may(view: LedgerState, task: TaskId, reanswer: bool) -> bool:
    standing = view.task_status(task)
    return standing is TaskStatus.FAILED or (reanswer and standing is TaskStatus.ANSWERED)
