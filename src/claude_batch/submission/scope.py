"""The changes under review, split into new and already known tasks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from claude_batch.costs import prompt_cache
from claude_batch.diff.model import Comparison, SkippedFile
from claude_batch.ledger.events import Plan
from claude_batch.ledger.usage_history import Pair, UsageHistory
from claude_batch.ledger.view import LedgerState
from claude_batch.prompts.context import NO_CONTEXT_SOURCE, ContextSource
from claude_batch.tasks.task import Task, TaskId, unique_tasks


@dataclass(frozen=True)
class Resubmission:
    """Tasks of a recorded plan that are sent again. Its other tasks serve as context."""

    plan: Plan
    tasks: frozenset[TaskId]
    follows: str  # the reason, a word of the ledger's files


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
    resubmission: Resubmission | None = None  # None: all new tasks are sent


@dataclass(frozen=True)
class PendingWork:
    """A scope, compared with the ledger."""

    scope: ReviewScope
    new: tuple[Task, ...]
    known: tuple[Task, ...]
    solo_task_ids: frozenset[TaskId]  # each needs a request of its own
    history: UsageHistory
    cache_hit_rate: Decimal  # the share of marked prefixes that is read from the cache

    @classmethod
    def from_state(
        cls,
        state: LedgerState,
        scope: ReviewScope,
        token_ratios: Mapping[str, Pair] | None = None,
        cache_hit_rate: Decimal = prompt_cache.ASSUMED_HIT_RATE,
    ) -> "PendingWork":
        tasks = unique_tasks(scope.tasks)
        known = state.known_tasks(task.id for task in tasks) | scope.known_elsewhere
        wanted = scope.resubmission.tasks if scope.resubmission else {task.id for task in tasks}
        new_ids = wanted - known
        new = tuple(task for task in tasks if task.id in new_ids)
        return cls(
            scope,
            new,
            tuple(task for task in tasks if task.id in known),
            frozenset(state.truncated_tasks(task.id for task in new)),
            replace(UsageHistory.from_state(state), counted=token_ratios or {}),
            cache_hit_rate,
        )
