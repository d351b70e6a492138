"""`retry`: lets tasks be asked again that have failed too often, or, on demand, were answered."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from claude_batch.errors import BadUsage
from claude_batch.event import Forgotten
from claude_batch.ledger import Ledger, Standing, View, Write
from claude_batch.task import TaskId


@dataclass(frozen=True)
class Freed:
    tasks: tuple[TaskId, ...]


def retry(
    ledger: Ledger,
    prefixes: Iterable[str],
    *,
    reanswer: bool,
    repo: str,
    run: str,
    now: Callable[[], datetime],
) -> Freed:
    """Tasks by id or by the id of their batch; without any, all that failed."""
    wanted = tuple(prefixes)
    if reanswer and not wanted:
        raise BadUsage(
            "--reanswer pays again for what it names, and it names nothing",
            "give the ids of the tasks or batches; `claude-batch list` shows them",
        )
    freed: list[TaskId] = []

    def decide(view: View) -> Write:
        freed[:] = [task for task in _chosen(view, wanted) if _may(view, task, reanswer)]
        if not freed:
            return Write()
        reason = "reanswer" if reanswer else "retry"
        return Write(
            (Forgotten(at=now(), run=run, repo=repo, tasks=tuple(freed), reason=reason),)
        )

    ledger.transact(decide)
    return Freed(tuple(freed))


def _chosen(view: View, prefixes: tuple[str, ...]) -> list[TaskId]:
    found: dict[TaskId, None] = {}
    for sending in view.sendings.values():
        names = {sending.intent.id, sending.submitted.batch if sending.submitted else ""}
        whole = any(name.startswith(prefix) for prefix in prefixes for name in names if name)
        for asked in sending.requests.values():
            for task in asked.tasks:
                if whole or not prefixes or task.id.startswith(prefixes):
                    found[task.id] = None
    if prefixes and not found:
        raise BadUsage(
            f"no task or batch is called {', '.join(prefixes)}",
            "see `claude-batch list` for the ids",
        )
    return list(found)


def _may(view: View, task: TaskId, reanswer: bool) -> bool:
    standing = view.standing(task)
    return standing is Standing.FAILED or (reanswer and standing is Standing.ANSWERED)
