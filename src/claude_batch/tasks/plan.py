"""tasks/plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import ConfigDict

from claude_batch.tasks.task import TaskId

STRICT = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task and where it stands in this plan's head (and base, for removed lines).

    No model, like the other two of which there is one a task: that takes a fifth of the memory.
    """

    __pydantic_config__ = STRICT

    id: TaskId
    kind: str
    old_start: int
    new_start: int


@dataclass(frozen=True, slots=True)
class PlannedFile:
    __pydantic_config__ = STRICT

    path: str
    old_path: str
    old_blob: str
    new_blob: str
    tasks: tuple[PlannedTask, ...]


class PlannedDiff(Protocol):
    """The part of a recorded plan that says which tasks a diff held, and where."""

    @property
    def base(self) -> str | None: ...
    @property
    def head(self) -> str | None: ...
    @property
    def label(self) -> str: ...
    @property
    def files(self) -> Sequence[PlannedFile]: ...
