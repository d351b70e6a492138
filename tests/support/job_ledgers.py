"""Plans and changes of jobs for tests."""

from claude_batch.ledger.events import AnyEvent, Held, JobChanged, Plan, PullRequestClosed
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.settings import WaitingSettings
from ledger_events import asked, head, intent, plan, submitted

SETTINGS = WaitingSettings(frozenset({"claude-sonnet-5-5"}), frozenset({"medium"}), "d1")


def planned(name: str, *tasks: str, minute: float = 0, pr: int | None = 7, **more: object) -> Plan:
    rows = tuple(PlannedTask(TaskId(task), "review", 1, 1) for task in tasks)
    files = (PlannedFile("a.py", "a.py", "", "", rows),) if rows else ()
    changes = {"files": files, "source": "pull_request" if pr else "range", **more}
    return plan(name, minute, pr).model_copy(update=changes)


def sent(name: str, *tasks: str, minute: float = 1, **more: object) -> list[AnyEvent]:
    request = asked(name, 0, *tasks, minute=minute, **more)
    return [intent(name, minute), request, submitted(name, minute)]


def job_changed(job: str, action: str, minute: float) -> JobChanged:
    return JobChanged(**head(minute), id=job, action=action)


def held(target: str, minute: float, *, on: bool = True) -> Held:
    return Held(**head(minute), target=target, on=on)


def closed(minute: float, pr: int = 7) -> PullRequestClosed:
    return PullRequestClosed(**head(minute), pr=pr, merged=False)
