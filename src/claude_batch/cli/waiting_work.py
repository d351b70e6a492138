"""Everything that waits to be sent: tasks of the ledgers, and notes of the hook."""

from collections.abc import Sequence

from claude_batch.cli import clock
from claude_batch.cli.options import print_status
from claude_batch.config.model import Config
from claude_batch.git.hook_queue import HookQueue
from claude_batch.git.repository import Repository
from claude_batch.ledger.store import Ledger
from claude_batch.tasks.discovery import ChangeFinder, QueuedTrees
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.queue import WaitingTask, waiting_tasks
from claude_batch.waiting.settings import WaitingSettings


def find_waiting(config: Config, ledgers: Sequence[Ledger]) -> list[WaitingTask]:
    """Each task once. A task that another of the ledgers has answers for does not wait."""
    settings, now = WaitingSettings.from_config(config), clock.utc_now()
    waiting: dict[TaskId, WaitingTask] = {}
    for ledger in ledgers:
        found = waiting_tasks(ledger.view(), settings, now)
        ids = [item.task.id for item in found]
        known = {
            task
            for other in ledgers
            if other is not ledger
            for task in other.view().known_tasks(ids)
        }
        for item in found:
            if item.task.id not in known:
                waiting.setdefault(item.task.id, item)
    return list(waiting.values())


def sort_hook_notes(repository: Repository) -> QueuedTrees:
    """The notes of the hook's queue. Those that were never committed are named, and dropped."""
    queue = HookQueue(repository.common_dir)
    notes = queue.entries()
    if not notes:
        return QueuedTrees((), (), ())
    sorted_notes = ChangeFinder(repository).sort_notes(notes, clock.utc_now())
    for note in sorted_notes.dropped:
        print_status(
            f"note: tree {note.tree[:12]} was recorded on {note.recorded_at:%Y-%m-%d} and is on no "
            "branch; it is not sent"
        )
    if sorted_notes.dropped:
        queue.drop(sorted_notes.dropped)
    return sorted_notes
