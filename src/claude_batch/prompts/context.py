"""What a reviewer needs beside the hunks of a request, and no more, within a budget of bytes.

In this order while there is room: the signatures around a change; the imports of what it names;
changed definitions of other files that it uses; the rest of a small function, or the lines that
lead to the change; where no grammar reads the file, the lines next to it.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from claude_batch.syntax.languages import GRAMMARS, Grammar, grammar_of
from claude_batch.syntax.outline import Block, Outline, outline
from claude_batch.tasks.task import DiffOrigin, FileOrigin, Task

# Bytes of a request for context, by those of its hunks; docs/context.md has the measurements.
CONTEXT_SHARE = 0.4
MIN_CONTEXT_BYTES = 1_500  # a small hunk is understood from more than its own size around it
MAX_CONTEXT_BYTES = 12_000
MAX_SIGNATURE_LINES = 12
SMALL_FUNCTION_LINES = 80  # lines
SMALL_DEFINITION_LINES = 10
LEADING_LINES = 20
NEARBY_LINES = 4
MAX_LINE_BYTES = 300
MIN_NAME_LENGTH = 4  # shorter ones are the names of too many things
MAX_KNOWN_FILES = 200  # files
WORD = re.compile(rb"[A-Za-z_$][\w$]*")

# What an import binds: not the folders and modules on the way to it.
BOUND = re.compile(rb"[A-Za-z_$][\w$]*+(?!\s*(?:::|\.|/))")

KEYWORDS = frozenset(
    b"as class const crate default extern from func function h hpp import include let mod pub "
    b"require require_relative self static super type use using var".split()
)

FAMILY = {"tree_sitter_typescript": "tree_sitter_javascript", "tree_sitter_c": "tree_sitter_cpp"}


def _nothing(_: Iterable[str]) -> Mapping[str, bytes]:
    return {}


@dataclass(frozen=True)
class ContextSource:
    """Where context comes from. Nothing is read before there is something new to ask."""

    title: str = ""
    description: str = ""  # both as their author wrote them
    read_blobs: Callable[[Iterable[str]], Mapping[str, bytes]] = _nothing  # by object id
    read_rule_files: Callable[[], Mapping[str, bytes]] = dict  # the base's own rules, by path


NO_CONTEXT_SOURCE = ContextSource()


@dataclass(frozen=True, slots=True)
class CodeSnippet:
    """Neighbouring lines of a file at the head, from line `first` on; blank ones may be missing."""

    path: str
    first: int
    lines: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SnippetCandidate:
    """Lines that belong together: all of them go along, or none."""

    path: str
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    path: str
    block: Block


@dataclass(frozen=True)
class ReviewedFiles:
    """The files at the head that the tasks of one submission come from."""

    tasks: Sequence[Task]
    read_blobs: Callable[[Iterable[str]], Mapping[str, bytes]]
    _outlines: dict[str, Outline | None] = field(default_factory=dict)

    @classmethod
    def from_tasks(
        cls,
        new: Sequence[Task],
        known: Sequence[Task],
        read: Callable[[Iterable[str]], Mapping[str, bytes]],
    ) -> "ReviewedFiles":
        """What is known already is parsed only for what it defines, and only if it is not much."""
        few = len({task.path for task in known}) <= MAX_KNOWN_FILES
        return cls((*known, *new) if few else new, read)

    def lines(self, path: str) -> Sequence[bytes]:
        """Its lines; empty for a file that is not here."""
        return self._rows.get(path, ())

    def contains(self, task: Task) -> bool:
        """Of several trees noted together one holds the file; tasks of the others go without."""
        return _blob(task) == self._blobs.get(task.path) and task.path in self._rows

    def outline(self, path: str) -> Outline | None:
        """Of the lines that changed. None: no grammar reads this file."""
        if path not in self._outlines:
            grammar, rows = grammar_of(path), self.lines(path)
            self._outlines[path] = (
                outline(grammar, b"\n".join(rows), self._changed.get(path, ()))
                if grammar and rows
                else None
            )
        return self._outlines[path]

    def find_definitions(self, words: Collection[bytes], beside: str) -> list[Definition]:
        """What changed in other files under a name that these words hold, if just one thing did."""
        return [
            found[0]
            for word in sorted(words)
            if len(found := self._defined.get(word, [])) == 1
            and found[0].path != beside
            and _family(found[0].path) == _family(beside)
        ]

    @cached_property
    def _blobs(self) -> dict[str, str]:
        return {task.path: _blob(task) for task in self.tasks if _blob(task)}

    @cached_property
    def _rows(self) -> dict[str, list[bytes]]:
        content = self.read_blobs(dict.fromkeys(self._blobs.values()))
        return {
            path: content[oid].split(b"\n") for path, oid in self._blobs.items() if oid in content
        }

    @cached_property
    def _changed(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for task in filter(self.contains, self.tasks):
            found.setdefault(task.path, []).extend(changed_lines(task))
        return found

    @cached_property
    def _defined(self) -> dict[bytes, list[Definition]]:
        found: dict[bytes, list[Definition]] = {}
        for path, lines in self._changed.items():
            for block in _innermost(self.outline(path), lines):
                if len(block.name) >= MIN_NAME_LENGTH:
                    found.setdefault(block.name.encode(), []).append(Definition(path, block))
        return found


def select_snippets(
    asked: Sequence[Task], shown: Iterable[Task], head: ReviewedFiles
) -> tuple[CodeSnippet, ...]:
    """For one request. `shown`: all tasks in it; no line of theirs is repeated."""
    if not any(map(head.contains, asked)):
        return ()
    seen: dict[str, set[int]] = {}
    for task in shown:
        seen.setdefault(task.path, set()).update(_visible(task))
    room = context_budget(sum(len(task.hunk.body) for task in asked))
    chosen: dict[str, set[int]] = {}
    for wanted in _wanted(asked, head):
        rows, known = head.lines(wanted.path), seen.setdefault(wanted.path, set())
        fresh = {at for at in wanted.lines if at not in known and rows[at - 1].strip()}
        cost = sum(_cost(rows[at - 1]) for at in fresh)
        if fresh and cost <= room:
            room -= cost
            known |= fresh
            chosen.setdefault(wanted.path, set()).update(fresh)
    return tuple(
        piece
        for path, lines in chosen.items()
        for piece in _pieces(path, sorted(lines), head.lines(path))
    )


def context_budget(asked: int) -> int:
    """Bytes of context for so many bytes of hunks."""
    return min(MAX_CONTEXT_BYTES, max(MIN_CONTEXT_BYTES, int(CONTEXT_SHARE * asked)))


def changed_lines(task: Task) -> Iterator[int]:
    """Of the new side; for removed lines the one that now stands in their place."""
    at = task.hunk.new_start
    for line in task.hunk.cut():
        if line.sign != " ":
            yield line.new or at
        at = at if line.new is None else line.new + 1


def _visible(task: Task) -> Iterator[int]:
    return (line.new for line in task.hunk.cut() if line.new is not None)


def _wanted(asked: Sequence[Task], head: ReviewedFiles) -> Iterator[SnippetCandidate]:
    """What matters most comes first, for all tasks."""
    here = [task for task in asked if head.contains(task)]
    for source in (_heads, _imports, _used, _rest, _window):
        for task in here:
            yield from source(task, head)


def _heads(task: Task, head: ReviewedFiles) -> Iterator[SnippetCandidate]:
    """Of the outermost block first: it tells where we are."""
    found = head.outline(task.path)
    for block in _holding(found, changed_lines(task)) if found else []:
        end = min(block.head, block.first + MAX_SIGNATURE_LINES - 1)
        yield SnippetCandidate(task.path, tuple(range(block.first, end + 1)))


def _imports(task: Task, head: ReviewedFiles) -> Iterator[SnippetCandidate]:
    found, rows = head.outline(task.path), head.lines(task.path)
    words = _words(task)
    for first, last in found.imports if found else ():
        named = [at for at in range(first, last + 1) if words & set(_bound(rows[at - 1]))]
        if named:
            yield SnippetCandidate(task.path, tuple(sorted({first, *named})))


def _used(task: Task, head: ReviewedFiles) -> Iterator[SnippetCandidate]:
    if grammar_of(task.path) is None:
        return
    for found in head.find_definitions(_words(task), task.path):
        block = found.block
        small = block.last - block.first < SMALL_DEFINITION_LINES
        end = block.last if small else min(block.head, block.first + MAX_SIGNATURE_LINES - 1)
        yield SnippetCandidate(found.path, tuple(range(block.first, end + 1)))


def _rest(task: Task, head: ReviewedFiles) -> Iterator[SnippetCandidate]:
    found = head.outline(task.path)
    start = task.hunk.new_start
    functions = [block for block in _innermost(found, changed_lines(task)) if block.function]
    for block in functions:
        if block.last - block.first < SMALL_FUNCTION_LINES:
            yield SnippetCandidate(task.path, tuple(range(block.first, block.last + 1)))
        elif block.head < start:
            yield SnippetCandidate(
                task.path, tuple(range(max(block.head + 1, start - LEADING_LINES), start))
            )


def _window(task: Task, head: ReviewedFiles) -> Iterator[SnippetCandidate]:
    if head.outline(task.path) is not None:
        return
    visible = list(_visible(task)) or [task.hunk.new_start]
    first = max(1, visible[0] - NEARBY_LINES)
    last = min(len(head.lines(task.path)), visible[-1] + NEARBY_LINES)
    yield SnippetCandidate(task.path, tuple(range(first, last + 1)))


def _holding(found: Outline, lines: Iterable[int]) -> list[Block]:
    blocks = {block: None for line in lines for block in found.around(line)}
    return sorted(blocks, key=lambda block: (block.depth, block.first))


def _innermost(found: Outline | None, lines: Iterable[int]) -> list[Block]:
    if found is None:
        return []
    stacks = (found.around(line) for line in lines)
    return list(dict.fromkeys(stack[-1] for stack in stacks if stack))


def _words(task: Task) -> frozenset[bytes]:
    """What the new side of a hunk names."""
    kept = (line.text for line in task.hunk.cut() if line.sign != "-")
    return frozenset(word for text in kept for word in WORD.findall(text)) - KEYWORDS


def _bound(row: bytes) -> list[bytes]:
    """Python says what after `import`, JavaScript before `from`."""
    text = row.partition(b" import ")[2] or row.partition(b" from ")[0]
    return [word for word in BOUND.findall(text) if word not in KEYWORDS]


def _pieces(path: str, lines: Sequence[int], rows: Sequence[bytes]) -> Iterator[CodeSnippet]:
    """Lines with nothing but blank ones between them are one piece."""
    run: list[int] = []
    for at in lines:
        if run and any(rows[between - 1].strip() for between in range(run[-1] + 1, at)):
            yield CodeSnippet(path, run[0], tuple(rows[one - 1] for one in run))
            run = []
        run.append(at)
    if run:
        yield CodeSnippet(path, run[0], tuple(rows[one - 1] for one in run))


def _cost(row: bytes) -> int:
    """In a request, where a newline, a tab, a quote and a backslash are two bytes each."""
    if len(row) > MAX_LINE_BYTES:
        return MAX_CONTEXT_BYTES + 1
    return len(row) + sum(map(row.count, (b"\t", b'"', b"\\"))) + 3


def _blob(task: Task) -> str:
    match task.origin:
        case DiffOrigin(new_blob=blob) | FileOrigin(blob):
            return blob
        case _:
            return ""


def _family(path: str) -> str:
    grammar = grammar_of(path)
    module = GRAMMARS[Grammar(grammar)][0] if grammar else ""
    return FAMILY.get(module, module)
