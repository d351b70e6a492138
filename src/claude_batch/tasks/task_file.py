"""Parse a tasks file: one JSON object a line, each a task."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from claude_batch.diff.whole_files import build_context_hunk
from claude_batch.errors import BadUsage
from claude_batch.formatting import first_error
from claude_batch.tasks.task import Kind, Task, TaskFileOrigin, compute_task_id

REMEDY = 'write one JSON object a line: {"path": "a.py", "text": "...", "instruction": "..."}'
MAX_CHARACTERS = 100_000


class TaskLine(BaseModel):
    """One line. `text` is the code or prose under review, `instruction` adds to the kind's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field("task", min_length=1, max_length=1_000)
    text: Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]
    kind: str = "review"
    instruction: str = Field("", max_length=10_000)


def parse_task_file(lines: Iterable[bytes], kinds: Sequence[Kind]) -> tuple[Task, ...]:
    """Raises BadUsage for the first invalid line."""
    kind_by_name = {kind.name: kind for kind in kinds}
    return tuple(_build_task(line, kind_by_name, number) for number, line in _parse_lines(lines))


def _parse_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, TaskLine]]:
    is_empty = True
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        is_empty = False
        try:
            yield number, TaskLine.model_validate_json(line)
        except ValidationError as error:
            problem = f"line {number} is not a task: {first_error(error)}"
            raise BadUsage(problem, REMEDY) from error
    if is_empty:
        raise BadUsage("there is no task in it", REMEDY)


def _build_task(line: TaskLine, kinds: Mapping[str, Kind], number: int) -> Task:
    kind = kinds.get(line.kind)
    if kind is None:
        raise BadUsage(
            f"line {number} has the unknown kind {line.kind!r}",
            f"use one of {', '.join(sorted(kinds))}",
        )
    hunk = build_context_hunk(line.text.encode())
    task_id = compute_task_id(kind.tag, line.path, hunk.body, line.instruction)
    return Task(task_id, kind.name, line.path, hunk, TaskFileOrigin(line.instruction))
