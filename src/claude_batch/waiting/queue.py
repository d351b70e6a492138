"""The waiting tasks of all current plans, in the order in which they are sent."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from claude_batch.ledger.events import Plan
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.plan import PlannedTask
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.current_plans import current_plans
from claude_batch.waiting.settings import FlushThresholds, WaitingSettings
from claude_batch.waiting.task_states import (
    NEVER,
    TaskReading,
    TaskState,
    WaitingReason,
    read_plan,
)

# Waits that no flush ends.
FIRM = (WaitingReason.PAUSED, WaitingReason.NOT_BEFORE, WaitingReason.SUBMIT)


@dataclass(frozen=True)
class WaitingTask:
    """A task that is planned and neither in flight nor validly answered."""

    plan: Plan
    task: PlannedTask
    reading: TaskReading


def waiting_tasks(
    state: LedgerState, settings: WaitingSettings, now: datetime
) -> list[WaitingTask]:
    """Each task once: of a plan for which it is due, with the highest priority, then the oldest."""
    waiting: list[WaitingTask] = []
    for plan in sorted(current_plans(state, now), key=_order):
        readings = read_plan(state, plan, settings, now)
        waiting += (
            WaitingTask(plan, task, readings[task.id])
            for task in plan.tasks
            if readings[task.id].state is TaskState.WAITING
        )
    tasks: dict[TaskId, WaitingTask] = {}
    for item in _hold_until_flush(waiting, settings.thresholds, now):
        other = tasks.setdefault(item.task.id, item)
        if item.reading.is_due(now) and not other.reading.is_due(now):
            tasks[item.task.id] = item
    return sorted(tasks.values(), key=lambda item: _order(item.plan))


def due_by_plan(
    waiting: Iterable[WaitingTask], now: datetime, *, is_flush: bool = False
) -> dict[str, dict[TaskId, TaskReading]]:
    """The due tasks by plan, in order. `is_flush`: a person's command, which ends every wait but a
    hold and a time that was asked for."""
    due: dict[str, dict[TaskId, TaskReading]] = {}
    for item in waiting:
        may_end = item.reading.reason not in FIRM
        if item.reading.is_due(now) or (is_flush and may_end):
            due.setdefault(item.plan.id, {})[item.task.id] = item.reading
    return due


def count_reasons(waiting: Iterable[WaitingTask]) -> Mapping[WaitingReason, int]:
    """The most frequent first."""
    reasons = Counter(item.reading.reason for item in waiting if item.reading.reason)
    return dict(reasons.most_common())


def _order(plan: Plan) -> tuple[int, datetime, str]:
    return -plan.priority, plan.at, plan.id


def _hold_until_flush(
    waiting: Sequence[WaitingTask], thresholds: FlushThresholds, now: datetime
) -> list[WaitingTask]:
    """Tasks of lane `later` wait until one of the thresholds is reached."""
    later = [
        item for item in waiting if item.plan.lane == "later" and item.reading.reason not in FIRM
    ]
    if not later or _is_reached(later, thresholds, now):
        return list(waiting)
    held = {(item.plan.id, item.task.id) for item in later}
    return [
        replace(item, reading=replace(item.reading, reason=WaitingReason.FLUSH, due_at=NEVER))
        if (item.plan.id, item.task.id) in held
        else item
        for item in waiting
    ]


def _is_reached(later: Sequence[WaitingTask], thresholds: FlushThresholds, now: datetime) -> bool:
    sizes = {item.task.id: item.task.size for item in later}
    age = now - min(item.plan.at for item in later)
    return (
        (thresholds.count is not None and len(sizes) >= thresholds.count)
        or (thresholds.age is not None and age >= thresholds.age)
        or (thresholds.size is not None and sum(sizes.values()) >= thresholds.size)
    )
