"""Values for tests: recorded plans with tasks, and what was asked about them."""

from claude_batch.config.model import Config
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.ledger.events import AnyEvent, Plan, RequestRecorded
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.settings import WaitingSettings
from ledger_events import asked, intent, plan, submitted

SETTINGS = WaitingSettings.from_config(Config())


def planned(name: str, *tasks: str, minute: float = 0, pr: int | None = 7, **more: object) -> Plan:
    """A plan of tasks that are written "t1", or "t1 d1" with the definition around it."""
    rows = [task.split() for task in tasks]
    file = PlannedFile(
        "a.py",
        "a.py",
        "",
        "",
        tuple(
            PlannedTask(TaskId(task), "review", 1, 1, "".join(definition), 100)
            for task, *definition in rows
        ),
    )
    return plan(name, minute, pr).model_copy(update={"files": (file,), **more})


def sent(name: str, *tasks: str, minute: float = 0, **more: object) -> list[AnyEvent]:
    """One request, sent in a batch of its own. Tasks are written as those of a plan."""
    return [
        intent(name, minute),
        request_of(name, *tasks, minute=minute, **more),
        submitted(name, minute + 1),
    ]


def request_of(name: str, *tasks: str, minute: float = 0, **more: object) -> RequestRecorded:
    rows = tuple(
        AnchoredTask(
            id=TaskId(task), path="a.py", signs="+", hashes="", definition="".join(definition)
        )
        for task, *definition in (task.split() for task in tasks)
    )
    return asked(name, 0, minute=minute, **more).model_copy(update={"tasks": rows})
