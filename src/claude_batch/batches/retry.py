"""`retry`: reset failed tasks or, on demand, answered ones, so that they are sent again."""

from collections.abc import Collection, Iterable

from claude_batch.batches.status import check_prefix
from claude_batch.errors import BadUsage
from claude_batch.ledger import events
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
            "--reanswer needs the ids of tasks or batches",
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

    def decide(state: LedgerState) -> Write:
        nonlocal freed
        freed = tuple(task for task in named if _may(state, task, reanswer))
        reason = "reanswer" if reanswer else "retry"
        return Write((_reset(state, freed, reason, stamp),)) if freed else Write()

    ledger.transact(decide)
    return freed


def _reset(state: LedgerState, tasks: tuple[TaskId, ...], reason: str, stamp: Stamp) -> TasksReset:
    answers = (row.answer for task in tasks for row in state.requests_of(task))
    at = events.next_timestamp((answer.at for answer in answers if answer), stamp.now())
    return stamp.event(TasksReset, at=at, tasks=tasks, reason=reason)


def _named(state: LedgerState, prefixes: Collection[str]) -> list[TaskId]:
    found: dict[TaskId, None] = {}
    starts = tuple(prefixes)
    for record in state.batch_records.values():
        names = [record.intent.id, record.submitted.batch if record.submitted else ""]
        whole = not prefixes or any(name.startswith(starts) for name in names)
        for asked in record.requests.values():
            found |= {task.id: None for task in asked.tasks if whole or task.id.startswith(starts)}
    return list(found)


def _may(state: LedgerState, task: TaskId, reanswer: bool) -> bool:
    standing = state.task_status(task)
    return standing is TaskStatus.FAILED or (reanswer and standing is TaskStatus.ANSWERED)
