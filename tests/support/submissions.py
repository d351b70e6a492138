"""Values for tests: submissions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from claude_batch.batches.batching import PlannedBatch
from claude_batch.config.model import Config
from claude_batch.diff.model import Comparison, Hunk, SkippedFile
from claude_batch.errors import BudgetExceeded
from claude_batch.ledger.events import AnyEvent, Estimate, Plan
from claude_batch.ledger.store import Write
from claude_batch.ledger.usage_history import Basis, InputBasis
from claude_batch.ledger.view import LedgerState
from claude_batch.prompts.kinds import find_kind
from claude_batch.submission.flush import FlushPlan, Submission, plan_flush
from claude_batch.submission.planner import SubmissionPlan, SubmissionPlanner
from claude_batch.submission.scope import ReviewScope
from claude_batch.tasks.task import DiffOrigin, Task, TaskId, TaskOrigin
from ledger_events import at
from rig import PRICES

COMPARISON = Comparison("b" * 40, "c" * 40, "", "", "pull request 7")


CHANGED = DiffOrigin("old.py", "1" * 40, "2" * 40)


def task(name: str, path: str = "a.py", kind: str = "review", source: TaskOrigin = CHANGED) -> Task:
    return Task(TaskId(name), kind, path, Hunk(3, 4, f"+{name}".encode()), source)


def subject(*tasks: Task, pr: int | None = 7) -> ReviewScope:
    return ReviewScope(
        "octo/demo", "run-1", pr, COMPARISON, tasks, (SkippedFile("x.bin", "binary"),)
    )


def claimant(minute: float = 0, **settings: object) -> SubmissionPlanner:
    config = Config.model_validate(settings)
    ids = iter(f"{int(minute):08x}{n:08x}" for n in range(1000))
    kinds = tuple(find_kind(kind) for kind in ("review", "security"))
    return SubmissionPlanner(config, kinds, PRICES, at(minute), lambda: next(ids))


@dataclass(frozen=True)
class Claim:
    """The flush of one submission."""

    flush: FlushPlan

    @property
    def part(self) -> SubmissionPlan:
        (part,) = self.flush.parts
        return part

    @property
    def plan(self) -> Plan:
        return self.part.plan

    @property
    def batches(self) -> tuple[PlannedBatch, ...]:
        return self.flush.batches

    @property
    def write(self) -> Write:
        return self.flush.write

    @property
    def refused(self) -> BudgetExceeded | None:
        return self.part.refused

    @property
    def estimates(self) -> list[Estimate]:
        return self.part.estimates

    @property
    def basis(self) -> Basis:
        return self.part.basis

    @property
    def input_basis(self) -> InputBasis:
        return self.part.input_basis

    @property
    def ladder_steps(self) -> tuple[str, ...]:
        return self.part.ladder_steps


def claim_scope(planner: SubmissionPlanner, state: LedgerState, scope: ReviewScope) -> Claim:
    return Claim(plan_flush(state, [Submission(planner, scope)]))


def claim(events: Sequence[AnyEvent], *tasks: Task, minute: float = 0, **settings: object) -> Claim:
    state = LedgerState.from_events(events)
    return claim_scope(claimant(minute, **settings), state, subject(*tasks))


def asked_for(batches: Iterable[PlannedBatch]) -> list[str]:
    return [
        str(task.id)
        for batch in batches
        for request in batch.requests
        for task in request.event.tasks
    ]
