"""The changes under review, split into tasks to send and tasks that are known already."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Literal

from claude_batch.costs import prompt_cache
from claude_batch.diff.model import Comparison, SkippedFile
from claude_batch.ledger.events import NORMAL_PRIORITY, Plan, PlanSource
from claude_batch.ledger.usage_history import UsageHistory
from claude_batch.ledger.view import LedgerState
from claude_batch.prompts.context import NO_CONTEXT_SOURCE, ContextSource
from claude_batch.prompts.definitions import digest_definitions
from claude_batch.prompts.reviewed_files import ReviewedFiles
from claude_batch.tasks.task import Task, TaskId, unique_tasks
from claude_batch.waiting.settings import WaitingSettings
from claude_batch.waiting.task_states import TaskReading, TaskState, WaitingReason, read_plan


@dataclass(frozen=True)
class PlanOptions:
    """The wishes that are recorded with a plan."""

    source: PlanSource | None = None
    lane: Literal["batch", "now", "auto", "later"] = "batch"
    priority: int = NORMAL_PRIORITY  # 0 to 100, the greater is sent first
    not_before: datetime | None = None
    deadline: datetime | None = None
    tags: tuple[str, ...] = ()
    base_ref: str | None = None  # the branch that the pull request is to be merged into
    rules: str | None = None  # the commit whose rule files apply


@dataclass(frozen=True)
class Resubmission:
    """Due tasks of a recorded plan. Its other tasks serve as context."""

    plan: Plan
    tasks: frozenset[TaskId]
    follows: str | None  # the reason, a word of the ledger's files


@dataclass(frozen=True)
class ReviewScope:
    """The tasks of one submission, with their source and context."""

    repo: str
    run: str
    pr: int | None
    comparison: Comparison
    tasks: tuple[Task, ...]
    skipped: tuple[SkippedFile, ...]
    context_source: ContextSource = NO_CONTEXT_SOURCE
    known_elsewhere: frozenset[TaskId] = frozenset()  # known to another ledger of this clone
    resubmission: Resubmission | None = None  # None: all waiting tasks are sent
    options: PlanOptions = field(default_factory=PlanOptions)

    @cached_property
    def unique_tasks(self) -> tuple[Task, ...]:
        return unique_tasks(self.tasks)

    @cached_property
    def files(self) -> ReviewedFiles:
        return ReviewedFiles(self.unique_tasks, self.context_source.read_blobs)

    @cached_property
    def definitions(self) -> dict[TaskId, str]:
        """The digest of the definition around each task; empty for tasks without one."""
        return digest_definitions(self.unique_tasks, self.files)


@dataclass(frozen=True)
class PendingWork:
    """A plan, compared with the ledger."""

    scope: ReviewScope
    plan: Plan
    readings: Mapping[TaskId, TaskReading]
    new: tuple[Task, ...]  # to be sent
    known: tuple[Task, ...]  # answered or in flight
    history: UsageHistory
    cache_hit_rate: Decimal  # the share of marked prefixes that is read from the cache

    @classmethod
    def from_state(
        cls,
        state: LedgerState,
        scope: ReviewScope,
        plan: Plan,
        settings: WaitingSettings,
        now: datetime,
        history: UsageHistory,
        cache_hit_rate: Decimal = prompt_cache.ASSUMED_HIT_RATE,
    ) -> "PendingWork":
        readings = read_plan(state, plan, settings, now)
        return cls(
            scope,
            plan,
            readings,
            tuple(task for task in scope.unique_tasks if _is_sent(scope, readings, task.id)),
            tuple(task for task in scope.unique_tasks if _is_known(scope, readings, task.id)),
            history,
            cache_hit_rate,
        )

    @cached_property
    def definitions(self) -> dict[TaskId, str]:
        """The digest of the definition around each task, as it is recorded in the plan."""
        return {task.id: task.definition for task in self.plan.tasks}

    @property
    def solo_task_ids(self) -> frozenset[TaskId]:
        """Each needs a request of its own."""
        return frozenset(task for task, reading in self.readings.items() if reading.is_solo)

    def limit_factor(self, tasks: tuple[Task, ...]) -> int:
        """The factor by which `max_tokens` is larger than usual: answers were cut before."""
        return max((self.readings[task.id].limit_factor for task in tasks), default=1)


SENDABLE = (TaskState.WAITING, TaskState.CANCELLED)


def _is_sent(scope: ReviewScope, readings: Mapping[TaskId, TaskReading], task: TaskId) -> bool:
    reading = readings.get(task)
    if reading is None or task in scope.known_elsewhere:
        return False
    if scope.resubmission:
        return task in scope.resubmission.tasks and reading.state is TaskState.WAITING
    if scope.options.lane == "now" and reading.is_batched:
        return True
    # A person or an event asks for it, which ends every wait but a hold and a later time.
    is_held = reading.reason in (WaitingReason.PAUSED, WaitingReason.NOT_BEFORE)
    return reading.state in SENDABLE and not is_held and scope.options.lane != "later"


def _is_known(scope: ReviewScope, readings: Mapping[TaskId, TaskReading], task: TaskId) -> bool:
    reading = readings.get(task)
    known_states = (TaskState.ANSWERED, TaskState.IN_FLIGHT)
    is_known = reading is not None and reading.state in known_states
    is_known = is_known and not _is_sent(scope, readings, task)
    return is_known or task in scope.known_elsewhere
