"""Files before and after a change become hunks by git's own rules; what goes along is drawn."""

import difflib
import hashlib
from collections.abc import Iterable, Mapping

import pytest

from claude_batch.diff.model import Hunk
from claude_batch.prompts.context import (
    CONTEXT_SHARE,
    MAX_CONTEXT_BYTES,
    MIN_CONTEXT_BYTES,
    CodeSnippet,
    context_budget,
    select_snippets,
)
from claude_batch.prompts.reviewed_files import ReviewedFiles, changed_lines
from claude_batch.tasks.task import DiffOrigin, Task, compute_task_id

TILL = """\
import os
import sys
from rates import (
    half,
    full,
)


class Till:
    size = 3

    def open(self):
        self.count = 0
        self.rate = half
        self.log("open")

        self.light = True
        self.day = None
        for each in self.all:
            each.open()
        return os.name

    def close(self):
        pass
"""


def blob_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def tasks(path: str, old: str, new: str, kind: str = "review") -> list[Task]:
    rows = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=3))[2:]
    found: list[Task] = []
    for row in rows:
        if row.startswith("@@"):
            starts = [int(part.split(",")[0][1:]) for part in row.split()[1:3]]
            bodies: list[str] = []
            found.append(_task(path, kind, Hunk(*starts, b""), blob_of(old), blob_of(new)))
        else:
            bodies.append(row)
            hunk = found[-1].hunk
            made = Hunk(hunk.old_start, hunk.new_start, "\n".join(bodies).encode())
            found[-1] = _task(path, kind, made, blob_of(old), blob_of(new))
    return found


def _task(path: str, kind: str, hunk: Hunk, old: str, new: str) -> Task:
    return Task(
        compute_task_id(kind, path, hunk.body), kind, path, hunk, DiffOrigin(path, old, new)
    )


def head(asked: Iterable[Task], *files: str) -> ReviewedFiles:
    blobs = {blob_of(text): text.encode() for text in files}

    def read(oids: Iterable[str]) -> Mapping[str, bytes]:
        return {oid: blobs[oid] for oid in oids if oid in blobs}

    return ReviewedFiles(tuple(asked), read)


def drawn(pieces: Iterable[CodeSnippet]) -> str:
    return "\n".join(
        f"{piece.path}:{piece.first}\n" + b"\n".join(piece.lines).decode() for piece in pieces
    )


def test_signatures_imports_and_the_rest_of_a_small_function() -> None:
    new = TILL.replace("self.day = None", "self.day = sys.argv")
    asked = tasks("till.py", TILL, new)
    assert (
        drawn(select_snippets(asked, asked, head(asked, new)))
        == """\
till.py:1
import os
import sys
till.py:9
class Till:
till.py:12
    def open(self):
        self.count = 0
        self.rate = half"""
    )


def test_nothing_of_the_hunks_is_repeated() -> None:
    new = TILL.replace("size = 3", "size = 4").replace("self.day = None", "self.day = 1")
    asked = tasks("till.py", TILL, new)
    assert len(asked) == 2
    visible = {line.new for task in asked for line in task.hunk.lines if line.sign != "-"}
    for piece in select_snippets(asked, asked, head(asked, new)):
        assert not visible & set(range(piece.first, piece.first + len(piece.lines)))


def test_known_tasks_are_not_repeated() -> None:
    new = TILL.replace("size = 3", "size = 4").replace("self.day = None", "self.day = 1")
    known, asked = tasks("till.py", TILL, new)
    pieces = select_snippets([asked], [asked, known], head([asked, known], new))
    assert "class Till" not in drawn(pieces)


def test_of_a_long_import_only_the_used_names() -> None:
    new = TILL.replace("self.day = None", "self.day = full()")
    asked = tasks("till.py", TILL, new)
    assert "from rates import (\ntill.py:5\n    full," in drawn(
        select_snippets(asked, asked, head(asked, new))
    )


def test_of_a_long_function_the_lines_before_the_change() -> None:
    body = "".join(f"    step_{n} = {n}\n" for n in range(200))
    old = f"def walk():\n{body}"
    new = old.replace("step_150 = 150", "step_150 = 0")
    asked = tasks("walk.py", old, new)
    pieces = select_snippets(asked, asked, head(asked, new))
    assert [(piece.first, len(piece.lines)) for piece in pieces] == [(1, 1), (129, 20)]


def test_without_a_grammar_the_lines_next_to_it() -> None:
    old = "".join(f"line {n}\n" for n in range(1, 41))
    new = old.replace("line 20\n", "line twenty\n")
    asked = tasks("notes.txt", old, new)
    pieces = select_snippets(asked, asked, head(asked, new))
    assert [(piece.first, len(piece.lines)) for piece in pieces] == [(13, 4), (24, 4)]


def test_a_changed_definition_that_another_changed_file_uses() -> None:
    rates = "def half_of(amount):\n" + "".join(f"    a{n} = {n}\n" for n in range(30))
    rates_new = rates.replace("half_of(amount)", "half_of(amount, rounding)")
    new = TILL.replace("self.day = None", "self.day = half_of(2)")
    first, second = tasks("rates.py", rates, rates_new), tasks("till.py", TILL, new)
    everything = head([*first, *second], rates_new, new)
    assert "rates.py:1\ndef half_of(amount, rounding):" in drawn(
        select_snippets(second, second, everything)
    )
    beside = select_snippets([*first, *second], [*first, *second], everything)
    assert "def half_of" not in drawn(beside)


@pytest.mark.parametrize("path", ["rates.go", "till_two.py"])
def test_a_name_of_another_language_or_of_two_definitions_is_ignored(path: str) -> None:
    text = "def half_of(amount):\n    return 1\n"
    changed = [tasks(name, "", text) for name in ("rates.py", path)]
    new = TILL.replace("self.day = None", "self.day = half_of(2)")
    asked = tasks("till.py", TILL, new)
    both = [task for made in changed for task in made]
    shown = drawn(select_snippets(asked, asked, head([*both, *asked], text, new)))
    assert ("def half_of" in shown) == (path == "rates.go")


def test_a_budget_of_bytes() -> None:
    body = "".join(f"    step_{n} = '{'x' * 80}'\n" for n in range(60))
    old = f"def walk():\n{body}"
    new = old.replace("step_30 =", "step_thirty =")
    asked = tasks("walk.py", old, new)
    pieces = select_snippets(asked, asked, head(asked, new))
    assert drawn(pieces) == "walk.py:1\ndef walk():"
    assert [context_budget(0), context_budget(10_000), context_budget(10**9)] == [
        MIN_CONTEXT_BYTES,
        int(CONTEXT_SHARE * 10_000),
        MAX_CONTEXT_BYTES,
    ]


def test_a_new_file_needs_no_context() -> None:
    asked = tasks("till.py", "", TILL)
    assert select_snippets(asked, asked, head(asked, TILL)) == ()


def test_a_missing_file_has_no_context() -> None:
    asked = tasks("till.py", TILL, TILL.replace("size = 3", "size = 4"))
    assert select_snippets(asked, asked, head(asked)) == ()


def test_of_two_trees_the_newest_is_used() -> None:
    one, two = TILL.replace("size = 3", "size = 4"), TILL.replace("pass", "self.count = None")
    earlier, later = tasks("till.py", TILL, one), tasks("till.py", TILL, two)
    both = head([*earlier, *later], one, two)
    assert select_snippets(earlier, earlier, both) == ()
    assert "def open" not in drawn(select_snippets(later, later, both))
    assert "class Till" in drawn(select_snippets(later, later, both))


def test_known_files_are_read_only_while_they_are_few() -> None:
    known = [task for n in range(201) for task in tasks(f"f{n}.py", "", f"def f{n}():\n    pass\n")]
    new = tasks("till.py", "", TILL)
    nothing = head([]).read_blobs
    assert len(ReviewedFiles.from_tasks(new, known[:200], nothing).tasks) == 201
    assert len(ReviewedFiles.from_tasks(new, known, nothing).tasks) == 1


def test_removed_lines_change_the_line_that_follows_them() -> None:
    hunk = Hunk(5, 5, b" a\n-b\n-c\n d\n+e")
    task = Task(
        compute_task_id("review", "a", hunk.body), "review", "a", hunk, DiffOrigin("a", "0", "1")
    )
    assert list(changed_lines(task)) == [6, 6, 7]
