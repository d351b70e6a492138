"""Select the code around the hunks of a request, within a budget of bytes.

In this order while there is room: the signatures around a change; the imports of the names it
uses; changed definitions in other files that it uses; the rest of a small function, or the lines
before the change; the lines next to it if no grammar reads the file.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from claude_batch.prompts.reviewed_files import ReviewedFiles, changed_lines, innermost_blocks
from claude_batch.syntax.languages import grammar_of
from claude_batch.syntax.outline import Block, Outline
from claude_batch.tasks.task import Task

# Bytes of context as a share of the bytes of hunks; docs/context.md has the measurements.
CONTEXT_SHARE = 0.4
MIN_CONTEXT_BYTES = 1_500  # a small hunk needs more context than its own size
MAX_CONTEXT_BYTES = 12_000
MAX_SIGNATURE_LINES = 12
SMALL_FUNCTION_LINES = 80
SMALL_DEFINITION_LINES = 10
LEADING_LINES = 20
NEARBY_LINES = 4
MAX_LINE_BYTES = 300
WORD = re.compile(rb"[A-Za-z_$][\w$]*")

# The names that an import binds, without the packages and modules on the way to them.
IMPORTED_NAME = re.compile(rb"[A-Za-z_$][\w$]*+(?!\s*(?:::|\.|/))")

KEYWORDS = frozenset(
    b"as class const crate default extern from func function h hpp import include let mod pub "
    b"require require_relative self static super type use using var".split()
)


def _read_nothing(_: Iterable[str]) -> Mapping[str, bytes]:
    return {}


@dataclass(frozen=True)
class ContextSource:
    """The pull request's text, and functions that read context once there are new tasks."""

    title: str = ""
    description: str = ""  # both unescaped
    read_blobs: Callable[[Iterable[str]], Mapping[str, bytes]] = _read_nothing  # by object id
    read_rule_files: Callable[[], Mapping[str, bytes]] = dict  # those of the base, by path


NO_CONTEXT_SOURCE = ContextSource()


@dataclass(frozen=True, slots=True)
class CodeSnippet:
    """Adjacent lines of a file at the head from line `first` on; blank ones may be missing."""

    path: str
    first: int
    lines: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SnippetCandidate:
    """Line numbers that are selected together or not at all."""

    path: str
    lines: tuple[int, ...]


def select_snippets(
    tasks: Sequence[Task], shown: Iterable[Task], files: ReviewedFiles
) -> tuple[CodeSnippet, ...]:
    """Select snippets for one request. No line of its tasks `shown` is repeated."""
    if not any(map(files.contains, tasks)):
        return ()
    seen: dict[str, set[int]] = {}
    for task in shown:
        seen.setdefault(task.path, set()).update(_visible_lines(task))
    room = context_budget(sum(len(task.hunk.body) for task in tasks))
    selected: dict[str, set[int]] = {}
    for candidate in _candidates(tasks, files):
        path, lines = candidate.path, files.lines(candidate.path)
        known = seen.setdefault(path, set())
        fresh = {
            number
            for number in candidate.lines
            if number not in known and lines[number - 1].strip()
        }
        size = sum(_size_in_request(lines[number - 1]) for number in fresh)
        if fresh and size <= room:
            room -= size
            known |= fresh
            selected.setdefault(path, set()).update(fresh)
    return tuple(
        snippet
        for path, numbers in selected.items()
        for snippet in _build_snippets(path, sorted(numbers), files.lines(path))
    )


def context_budget(hunk_bytes: int) -> int:
    """Return the bytes of context for a request with so many bytes of hunks."""
    return min(MAX_CONTEXT_BYTES, max(MIN_CONTEXT_BYTES, int(CONTEXT_SHARE * hunk_bytes)))


def _visible_lines(task: Task) -> Iterator[int]:
    return (line.new for line in task.hunk.iter_lines() if line.new is not None)


def _candidates(tasks: Sequence[Task], files: ReviewedFiles) -> Iterator[SnippetCandidate]:
    # The most important kind of context comes first, for all tasks.
    for find in (_signatures, _imports, _used_definitions, _function_rest, _nearby_lines):
        for task in filter(files.contains, tasks):
            yield from find(task, files)


def _signatures(task: Task, files: ReviewedFiles) -> Iterator[SnippetCandidate]:
    # The outermost block comes first because it tells most about the place.
    outline = files.outline(task.path)
    for block in _enclosing_blocks(outline, changed_lines(task)) if outline else []:
        yield SnippetCandidate(task.path, _signature_lines(block))


def _signature_lines(block: Block) -> tuple[int, ...]:
    end = min(block.signature_end, block.first + MAX_SIGNATURE_LINES - 1)
    return tuple(range(block.first, end + 1))


def _imports(task: Task, files: ReviewedFiles) -> Iterator[SnippetCandidate]:
    outline, lines = files.outline(task.path), files.lines(task.path)
    words = _used_words(task)
    for first, last in outline.imports if outline else ():
        used = [
            number
            for number in range(first, last + 1)
            if words & set(_imported_names(lines[number - 1]))
        ]
        if used:
            yield SnippetCandidate(task.path, tuple(sorted({first, *used})))


def _used_definitions(task: Task, files: ReviewedFiles) -> Iterator[SnippetCandidate]:
    if grammar_of(task.path) is None:
        return
    for definition in files.find_definitions(_used_words(task), task.path):
        block = definition.block
        is_small = block.last - block.first < SMALL_DEFINITION_LINES
        whole = tuple(range(block.first, block.last + 1))
        yield SnippetCandidate(definition.path, whole if is_small else _signature_lines(block))


def _function_rest(task: Task, files: ReviewedFiles) -> Iterator[SnippetCandidate]:
    start = task.hunk.new_start
    for block in innermost_blocks(files.outline(task.path), changed_lines(task)):
        if not block.is_function:
            continue
        if block.last - block.first < SMALL_FUNCTION_LINES:
            yield SnippetCandidate(task.path, tuple(range(block.first, block.last + 1)))
        elif block.signature_end < start:
            first = max(block.signature_end + 1, start - LEADING_LINES)
            yield SnippetCandidate(task.path, tuple(range(first, start)))


def _nearby_lines(task: Task, files: ReviewedFiles) -> Iterator[SnippetCandidate]:
    if files.outline(task.path) is not None:
        return
    visible = list(_visible_lines(task)) or [task.hunk.new_start]
    first = max(1, visible[0] - NEARBY_LINES)
    last = min(len(files.lines(task.path)), visible[-1] + NEARBY_LINES)
    yield SnippetCandidate(task.path, tuple(range(first, last + 1)))


def _enclosing_blocks(outline: Outline, lines: Iterable[int]) -> list[Block]:
    blocks = {block: None for line in lines for block in outline.blocks_around(line)}
    return sorted(blocks, key=lambda block: (block.depth, block.first))


def _used_words(task: Task) -> frozenset[bytes]:
    """The words on the new side of a hunk, without keywords."""
    texts = (line.text for line in task.hunk.iter_lines() if line.sign != "-")
    return frozenset(word for text in texts for word in WORD.findall(text)) - KEYWORDS


def _imported_names(line: bytes) -> list[bytes]:
    # The names follow `import` in Python, and precede `from` in JavaScript.
    text = line.partition(b" import ")[2] or line.partition(b" from ")[0]
    return [word for word in IMPORTED_NAME.findall(text) if word not in KEYWORDS]


def _build_snippets(
    path: str, numbers: Sequence[int], lines: Sequence[bytes]
) -> Iterator[CodeSnippet]:
    """Build a snippet of each run of lines with only blank lines between them."""
    run: list[int] = []
    for number in numbers:
        if run and any(lines[between - 1].strip() for between in range(run[-1] + 1, number)):
            yield CodeSnippet(path, run[0], tuple(lines[index - 1] for index in run))
            run = []
        run.append(number)
    if run:
        yield CodeSnippet(path, run[0], tuple(lines[index - 1] for index in run))


def _size_in_request(line: bytes) -> int:
    """The bytes of a line in JSON; more than the budget for a very long line."""
    if len(line) > MAX_LINE_BYTES:
        return MAX_CONTEXT_BYTES + 1
    # In JSON a newline, a tab, a quote and a backslash take two bytes each.
    return len(line) + sum(map(line.count, (b"\t", b'"', b"\\"))) + 3
