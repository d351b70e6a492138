"""Planned tasks and files, as the ledger stores them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import ConfigDict

from claude_batch.tasks.task import TaskId

# Newer versions may add keys.
LENIENT = ConfigDict(frozen=True, extra="ignore")


# Dataclasses, not models: there is one for each task, and a dataclass takes a fifth of the memory.
@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task with its first lines in the plan's head and, for removed lines, in its base."""

    __pydantic_config__ = LENIENT

    id: TaskId
    kind: str
    old_start: int
    new_start: int
    definition: str = ""  # digest of the definition around it at the head
    size: int = 0  # bytes of its hunk


@dataclass(frozen=True, slots=True)
class PlannedFile:
    __pydantic_config__ = LENIENT

    path: str
    old_path: str
    old_blob: str
    new_blob: str
    tasks: tuple[PlannedTask, ...]


class PlannedDiff(Protocol):
    """The fields of a recorded plan that locate its tasks."""

    @property
    def base(self) -> str | None: ...
    @property
    def head(self) -> str | None: ...
    @property
    def label(self) -> str: ...
    @property
    def files(self) -> Sequence[PlannedFile]: ...
