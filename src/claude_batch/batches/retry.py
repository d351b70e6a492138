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
    """Reset tasks by id or by the id of their batch, or all failed ones. Raises BadUsage."""
    if reanswer and not prefixes:
        raise BadUsage(
            "--reanswer needs the ids of tasks or batches",
            "give the ids of the tasks or batches; `claude-batch list` shows them",
        )
    for prefix in prefixes:
        check_prefix(prefix)
    chosen = [(ledger, _find_tasks(ledger.view(), prefixes)) for ledger in ledgers]
    for prefix in prefixes:
        if not any(_find_tasks(ledger.view(), [prefix]) for ledger, _ in chosen):
            raise BadUsage(
                f"no task or batch is called {prefix!r}", "see `claude-batch list` for the ids"
            )
    reset = (task for ledger, tasks in chosen for task in _reset(ledger, tasks, reanswer, stamp))
    return list(dict.fromkeys(reset))


def _reset(
    ledger: Ledger, tasks: Iterable[TaskId], reanswer: bool, stamp: Stamp
) -> tuple[TaskId, ...]:
    resettable = {TaskStatus.FAILED, *([TaskStatus.ANSWERED] if reanswer else [])}
    reset: tuple[TaskId, ...] = ()

    def decide(state: LedgerState) -> Write:
        nonlocal reset
        reset = tuple(task for task in tasks if state.task_status(task) in resettable)
        if not reset:
            return Write()
        answers = (row.answer for task in reset for row in state.requests.of_task(task))
        at = events.next_timestamp((answer.at for answer in answers if answer), stamp.now())
        reason = "reanswer" if reanswer else "retry"
        return Write((stamp.event(TasksReset, at=at, tasks=reset, reason=reason),))

    ledger.transact(decide)
    return reset


def _find_tasks(state: LedgerState, prefixes: Collection[str]) -> list[TaskId]:
    """Tasks whose id or whose batch's id starts with a prefix; all tasks for no prefix."""
    tasks: dict[TaskId, None] = {}
    starts = tuple(prefixes)
    for record in state.batch_records.values():
        names = [record.intent.id, record.submitted.batch if record.submitted else ""]
        whole = not prefixes or any(name.startswith(starts) for name in names)
        for request in record.requests.values():
            tasks |= {
                task.id: None for task in request.tasks if whole or task.id.startswith(starts)
            }
    return list(tasks)
