"""What one submit looks at, and how the ledger stands to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from claude_batch.costs import prompt_cache as prefix
from claude_batch.diff.model import Comparison, SkippedFile
from claude_batch.ledger.events import Plan
from claude_batch.ledger.usage_history import History, Pair
from claude_batch.ledger.view import LedgerState
from claude_batch.prompts.context import NOTHING_BESIDE, ContextSource
from claude_batch.tasks.task import Task, TaskId, unique


@dataclass(frozen=True)
class Resubmission:
    """Tasks of a plan. What else the plan holds is there to be read along."""

    plan: Plan
    tasks: frozenset[TaskId]
    follows: str  # why there is a second sending


@dataclass(frozen=True)
class ReviewScope:
    """What one submit looks at."""

    repo: str
    run: str
    pr: int | None
    comparison: Comparison
    tasks: tuple[Task, ...]
    skipped: tuple[SkippedFile, ...]
    context_source: ContextSource = NOTHING_BESIDE
    known_elsewhere: frozenset[TaskId] = (
        frozenset()
    )  # known to another ledger that this place can read
    resubmission: Resubmission | None = None  # asks these only, of a plan that stands in the ledger


@dataclass(frozen=True)
class PendingWork:
    """A subject as the ledger stands to it."""

    scope: ReviewScope
    new: tuple[Task, ...]
    known: tuple[Task, ...]
    solo_task_ids: frozenset[TaskId]  # each of these goes alone
    history: History
    cache_hit_rate: Decimal  # the share of marked prefixes that is read from the cache

    @classmethod
    def from_state(
        cls,
        state: LedgerState,
        scope: ReviewScope,
        token_ratios: Mapping[str, Pair] | None = None,
        cache_hit_rate: Decimal = prefix.ASSUMED_HIT_RATE,
    ) -> "PendingWork":
        tasks = unique(scope.tasks)
        known = state.known_tasks(task.id for task in tasks) | scope.known_elsewhere
        wanted = scope.resubmission.tasks if scope.resubmission else {task.id for task in tasks}
        fresh = wanted - known
        new = tuple(task for task in tasks if task.id in fresh)
        return cls(
            scope,
            new,
            tuple(task for task in tasks if task.id in known),
            frozenset(state.truncated_tasks(task.id for task in new)),
            replace(History.of(state), counted=token_ratios or {}),
            cache_hit_rate,
        )

    def new_by_path(self) -> dict[str, list[Task]]:
        """What is new, by path."""
        found: dict[str, list[Task]] = {}
        for task in self.new:
            found.setdefault(task.path, []).append(task)
        return found
