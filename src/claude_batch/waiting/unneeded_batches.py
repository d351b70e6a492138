"""Open batches that may be cancelled, and ended ones that may be deleted at the API."""

from collections.abc import Iterator
from datetime import datetime

from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.events import Plan
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.current_plans import current_plans, find_cancellation
from claude_batch.waiting.settings import NO_SETTINGS
from claude_batch.waiting.task_states import TaskState, read_plan


def unneeded_batches(state: LedgerState, now: datetime) -> list[BatchRecord]:
    """Open batches without a task that a current plan still waits for. Oldest first.

    What is in flight for a merged pull request stays: its answers come after the merge.
    """
    needed = {
        task
        for plan in (*current_plans(state, now), *_merged_plans(state))
        for task, reading in read_plan(state, plan, NO_SETTINGS, now).items()
        if reading.state is TaskState.IN_FLIGHT
    }
    return [
        record
        for record in state.open_batches()
        if record.submitted
        and not record.statuses & {"canceling", "ended"}
        and needed.isdisjoint(unanswered_tasks(record))
    ]


def _merged_plans(state: LedgerState) -> Iterator[Plan]:
    for number, closed in state.closed.items():
        plan = state.latest_plan(number)
        if closed.merged and plan is not None:
            yield plan


def unanswered_tasks(record: BatchRecord) -> set[TaskId]:
    open_requests = record.requests.keys() - record.answers.keys()
    return {task.id for n in open_requests for task in record.requests[n].tasks}


def deletable_batches(state: LedgerState) -> list[BatchRecord]:
    """Collected batches that hold tasks of deleted jobs, and of no other."""
    deleted: set[TaskId] = set()
    kept: set[TaskId] = set()
    for plan in state.plans:
        end = find_cancellation(state, plan)
        (deleted if end and end.action == "deleted" else kept).update(plan.task_ids)
    deleted -= kept
    return [record for record in _collected(state) if deleted and _is_within(record, deleted)]


def _collected(state: LedgerState) -> list[BatchRecord]:
    return [
        record
        for record in state.batch_records.values()
        if record.submitted
        and (record.is_answered() or "collected" in record.statuses)
        and not record.statuses & {"deleted", "lost"}
    ]


def _is_within(record: BatchRecord, tasks: set[TaskId]) -> bool:
    rows = record.requests.values()
    return bool(rows) and all(task.id in tasks for row in rows for task in row.tasks)
