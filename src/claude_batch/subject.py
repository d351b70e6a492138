"""What one submit looks at, and how the ledger stands to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from claude_batch import prefix
from claude_batch.context import NOTHING_BESIDE, Material
from claude_batch.diff import Comparison, LeftOut
from claude_batch.history import History, Pair
from claude_batch.ledger import View
from claude_batch.resubmission import Again
from claude_batch.task import Task, TaskId, unique


@dataclass(frozen=True)
class Subject:
    """What one submit looks at."""

    repo: str
    run: str
    pr: int | None
    comparison: Comparison
    tasks: tuple[Task, ...]
    left_out: tuple[LeftOut, ...]
    material: Material = NOTHING_BESIDE
    elsewhere: frozenset[TaskId] = frozenset()  # known to another ledger that this place can read
    again: Again | None = None  # asks these only, of a plan that stands in the ledger


@dataclass(frozen=True)
class Work:
    """A subject as the ledger stands to it."""

    subject: Subject
    new: tuple[Task, ...]
    known: tuple[Task, ...]
    apart: frozenset[TaskId]  # each of these goes alone
    history: History
    hits: Decimal  # the share of marked prefixes that is read from the cache

    @classmethod
    def of(
        cls,
        view: View,
        subject: Subject,
        counted: Mapping[str, Pair] | None = None,
        hits: Decimal = prefix.ASSUMED_HITS,
    ) -> "Work":
        tasks = unique(subject.tasks)
        known = view.known(task.id for task in tasks) | subject.elsewhere
        wanted = subject.again.tasks if subject.again else {task.id for task in tasks}
        fresh = wanted - known
        new = tuple(task for task in tasks if task.id in fresh)
        return cls(
            subject,
            new,
            tuple(task for task in tasks if task.id in known),
            frozenset(view.cut_short(task.id for task in new)),
            replace(History.of(view), counted=counted or {}),
            hits,
        )

    def files(self) -> dict[str, list[Task]]:
        """What is new, by path."""
        found: dict[str, list[Task]] = {}
        for task in self.new:
            found.setdefault(task.path, []).append(task)
        return found
