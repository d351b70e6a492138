"""Tasks that come from a file instead of a diff: one JSON object a line."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from claude_batch.diff.model import Hunk
from claude_batch.diff.whole_files import context_hunk
from claude_batch.errors import BadUsage
from claude_batch.formatting import first_error
from claude_batch.tasks.task import TaskFileOrigin, Kind, Task, compute_task_id

REMEDY = 'write one JSON object a line: {"path": "a.py", "text": "...", "instruction": "..."}'
MAX_CHARACTERS = 100_000


class TaskLine(BaseModel):
    """`text` is the code or prose that is asked about; `instruction` what, beside the kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field("task", min_length=1, max_length=1_000)
    text: Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]
    kind: str = "review"
    instruction: str = Field("", max_length=10_000)


def parse_task_file(lines: Iterable[bytes], kinds: Sequence[Kind]) -> tuple[Task, ...]:
    """Raises BadUsage for the first line that is no task."""
    named = {kind.name: kind for kind in kinds}
    return tuple(_task(row, named, number) for number, row in _rows(lines))


def _rows(lines: Iterable[bytes]) -> Iterator[tuple[int, TaskLine]]:
    found = False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = True
        try:
            yield number, TaskLine.model_validate_json(line)
        except ValidationError as error:
            problem = f"line {number} is not a task: {first_error(error)}"
            raise BadUsage(problem, REMEDY) from error
    if not found:
        raise BadUsage("there is no task in it", REMEDY)


def _task(row: TaskLine, kinds: dict[str, Kind], number: int) -> Task:
    kind = kinds.get(row.kind)
    if kind is None:
        raise BadUsage(
            f"line {number} has the unknown kind {row.kind!r}",
            f"use one of {', '.join(sorted(kinds))}",
        )
    hunk: Hunk = context_hunk(row.text.encode())
    name = compute_task_id(kind.tag, row.path, hunk.body, row.instruction)
    return Task(name, kind.name, row.path, hunk, TaskFileOrigin(row.instruction))
