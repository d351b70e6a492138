"""The files under review at the head: their lines, outlines and changed definitions."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from claude_batch.syntax.languages import GRAMMARS, Grammar, grammar_of
from claude_batch.syntax.outline import Block, Outline, build_outline
from claude_batch.tasks.task import DiffOrigin, FileOrigin, Task

MIN_NAME_LENGTH = 4  # shorter names are ambiguous
MAX_KNOWN_FILES = 200
# Grammars of languages whose files use each other's definitions.
FAMILY = {"tree_sitter_typescript": "tree_sitter_javascript", "tree_sitter_c": "tree_sitter_cpp"}


@dataclass(frozen=True, slots=True)
class Definition:
    path: str
    block: Block


@dataclass(frozen=True)
class ReviewedFiles:
    """The files of the tasks of one submission. They are read when they are first needed."""

    tasks: Sequence[Task]
    read_blobs: Callable[[Iterable[str]], Mapping[str, bytes]]  # by object id
    _outlines: dict[str, Outline | None] = field(default_factory=dict)

    @classmethod
    def from_tasks(
        cls,
        new: Sequence[Task],
        known: Sequence[Task],
        read_blobs: Callable[[Iterable[str]], Mapping[str, bytes]],
    ) -> "ReviewedFiles":
        # Known files are parsed only for their definitions, so many of them are not worth it.
        are_few = len({task.path for task in known}) <= MAX_KNOWN_FILES
        return cls((*known, *new) if are_few else new, read_blobs)

    def lines(self, path: str) -> Sequence[bytes]:
        """The file's lines; empty for a file that could not be read."""
        return self._lines.get(path, ())

    def contains(self, task: Task) -> bool:
        """Return True if the task's version of its file is here."""
        # Several queued trees may have different versions of a file: only one of them is here.
        return _blob_id(task) == self._blob_ids.get(task.path) and task.path in self._lines

    def outline(self, path: str) -> Outline | None:
        """The outline around the changed lines; None if no grammar reads the file."""
        if path not in self._outlines:
            grammar, lines = grammar_of(path), self.lines(path)
            self._outlines[path] = (
                build_outline(grammar, b"\n".join(lines), self._changed_lines.get(path, ()))
                if grammar and lines
                else None
            )
        return self._outlines[path]

    def find_definitions(self, names: Collection[bytes], user: str) -> list[Definition]:
        """The changed definitions of these names in other files than `user`, if unambiguous."""
        return [
            definitions[0]
            for name in sorted(names)
            if len(definitions := self._definitions.get(name, [])) == 1
            and definitions[0].path != user
            and _grammar_family(definitions[0].path) == _grammar_family(user)
        ]

    @cached_property
    def _blob_ids(self) -> dict[str, str]:
        return {task.path: _blob_id(task) for task in self.tasks if _blob_id(task)}

    @cached_property
    def _lines(self) -> dict[str, list[bytes]]:
        contents = self.read_blobs(dict.fromkeys(self._blob_ids.values()))
        return {
            path: contents[blob_id].split(b"\n")
            for path, blob_id in self._blob_ids.items()
            if blob_id in contents
        }

    @cached_property
    def _changed_lines(self) -> dict[str, list[int]]:
        lines: dict[str, list[int]] = {}
        for task in filter(self.contains, self.tasks):
            lines.setdefault(task.path, []).extend(changed_lines(task))
        return lines

    @cached_property
    def _definitions(self) -> dict[bytes, list[Definition]]:
        definitions: dict[bytes, list[Definition]] = {}
        for path, lines in self._changed_lines.items():
            for block in innermost_blocks(self.outline(path), lines):
                if len(block.name) >= MIN_NAME_LENGTH:
                    name = block.name.encode()
                    definitions.setdefault(name, []).append(Definition(path, block))
        return definitions


def changed_lines(task: Task) -> Iterator[int]:
    """The changed lines of the new side; for removed lines the one that follows them."""
    number = task.hunk.new_start
    for line in task.hunk.iter_lines():
        if line.sign != " ":
            yield line.new or number
        number = number if line.new is None else line.new + 1


def innermost_blocks(outline: Outline | None, lines: Iterable[int]) -> list[Block]:
    if outline is None:
        return []
    stacks = (outline.blocks_around(line) for line in lines)
    return list(dict.fromkeys(stack[-1] for stack in stacks if stack))


def _blob_id(task: Task) -> str:
    match task.origin:
        case DiffOrigin(new_blob=blob_id) | FileOrigin(blob_id):
            return blob_id
        case _:
            return ""


def _grammar_family(path: str) -> str:
    grammar = grammar_of(path)
    module = GRAMMARS[Grammar(grammar)][0] if grammar else ""
    return FAMILY.get(module, module)
