"""Values for tests: submissions."""

from claude_batch.config.model import Config
from claude_batch.diff.model import Comparison, Hunk, SkippedFile
from claude_batch.ledger.events import AnyEvent
from claude_batch.ledger.view import LedgerState
from claude_batch.prompts.kinds import find_kind
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
    ids = iter(f"{n:016x}" for n in range(1000))
    kinds = tuple(find_kind(kind) for kind in ("review", "security"))
    return SubmissionPlanner(config, kinds, PRICES, at(minute), lambda: next(ids))


def claim(events: list[AnyEvent], *tasks: Task, **settings: object) -> SubmissionPlan:
    return claimant(**settings).plan(LedgerState.from_events(events), subject(*tasks))


def asked_for(made: SubmissionPlan) -> list[str]:
    return [
        str(one.id)
        for parcel in made.batches
        for draft in parcel.requests
        for one in draft.event.tasks
    ]
