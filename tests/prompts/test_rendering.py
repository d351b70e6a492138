import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_batch.config.model import OwnKind, PathRule
from claude_batch.diff.model import Hunk, Side
from claude_batch.diff.parser import parse_hunks
from claude_batch.findings.anchors import AnchoredTask, LineRange, resolve_anchors
from claude_batch.prompts.kinds import BUILT_IN_VERSIONS, find_kind, render_system
from claude_batch.prompts.rendering import decode_line, decode_lines
from claude_batch.tasks.task import DiffOrigin, Task, TaskFileOrigin, TaskId, TaskOrigin
from responses import user

CHANGED = DiffOrigin("a.py", "0" * 40, "1" * 40)
ANCHORED = re.compile(r"[1-9]\d*[a-z]{3}(?=[-+ ])")


def task(path: str, hunk: Hunk, source: TaskOrigin = CHANGED) -> Task:
    return Task(TaskId(f"{path}:{hunk.new_start}"), "review", path, hunk, source)


def hunk(text: str) -> Hunk:
    (found,) = parse_hunks(text.encode())
    return found


ASKED = hunk("@@ -10,2 +10,3 @@ def total(rows):\n     a = 1\n-    b = 2\n+    b = 3\n+    c = 4")
KNOWN = hunk("@@ -1 +1 @@\n-import os\n+import sys")


def test_a_change_is_rendered_by_file() -> None:
    rules = [PathRule(path="*.py", instruction="No print.")]
    text = user([task("a.py", ASKED)], [task("a.py", KNOWN)], rules)
    letters = re.sub(r"^(\d+)[a-z]{3}(?=[-+ ])", r"\1___", text, flags=re.MULTILINE)
    assert letters == (
        "Rule of this repository: No print.\n"
        '<file path="a.py">\n'
        "@@\n"
        "-import os\n"
        "+import sys\n"
        "@@ def total(rows):\n"
        "1___     a = 1\n"
        "2___-    b = 2\n"
        "3___+    b = 3\n"
        "4___+    c = 4\n"
        "</file>"
    )


def test_a_rename_and_an_instruction_are_shown() -> None:
    moved = DiffOrigin("old.py", "0" * 40, "1" * 40)
    assert user([task("a.py", KNOWN, moved)], [], []).startswith('<file path="a.py" was="old.py">')
    asked = user([task("a.py", KNOWN, TaskFileOrigin("say\nwhy"))], [], [])
    assert asked.split("\n")[2] == "@ say why"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        (b"crlf\r", "crlf"),
        (b"mid\rdle", "mid\ufffddle"),
        (b"form\x0cfeed", "form\ufffdfeed"),
        ("line\u2028end".encode(), "line\ufffdend"),
        (b"latin \xe9", "latin \ufffd"),
        (b"", ""),
    ],
)
def test_a_line_is_one_row(raw: bytes, text: str) -> None:
    assert decode_line(raw) == text


LINE = st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b""))
BODY = st.lists(st.tuples(st.sampled_from([b"+", b"-", b" "]), LINE), min_size=1, max_size=8)
NAME = st.text(min_size=1, max_size=8).filter(lambda name: name.isprintable()) | st.sampled_from(
    ["a\u2028 1abc+x.py", 'q"uote.py', "</file>", "new\nline", "tab\t.py", "\x85.py"]
)
CHANGES = st.tuples(NAME, BODY, LINE, st.integers(1, 500))


@given(st.lists(LINE | st.just("\u2028\r".encode()), max_size=4))
def test_decoding_all_lines_equals_decoding_each(lines: list[bytes]) -> None:
    assert decode_lines(b"\n".join(lines)) == [decode_line(line) or " " for line in lines or [b""]]


def drawn(change: tuple[str, list[tuple[bytes, bytes]], bytes, int]) -> Task:
    path, rows, heading, start = change
    body = b"\n".join(sign + line for sign, line in rows)
    return task(path, Hunk(start, start, body, heading))


@settings(deadline=None, max_examples=60)
@given(st.lists(CHANGES, min_size=1, max_size=4), st.lists(CHANGES, max_size=3))
def test_each_anchor_in_the_prompt_leads_back_to_its_line(
    asked: list[tuple[str, list[tuple[bytes, bytes]], bytes, int]],
    context: list[tuple[str, list[tuple[bytes, bytes]], bytes, int]],
) -> None:
    """And nothing else in it can pass for an anchor or for a tag."""
    tasks = [drawn(change) for change in asked]
    anchored = [AnchoredTask.from_hunk(one.id, one.path, one.hunk) for one in tasks]
    text = user(tasks, [drawn(change) for change in context], [])
    rows = text.split("\n")
    assert text.splitlines() == rows
    anchors = [found[0] for row in rows if (found := ANCHORED.match(row))]
    expected = {
        LineRange(index, at, at, Side.LEFT if line.sign == "-" else Side.RIGHT)
        for index, one in enumerate(tasks)
        for at, line in enumerate(one.hunk.lines)
    }
    assert {resolve_anchors(name, name, anchored) for name in anchors} == expected
    assert len(anchors) == len(expected)
    assert rows.count("</file>") == len({one.path for one in map(drawn, [*asked, *context])})


def test_built_in_and_own_kinds() -> None:
    for name, version in BUILT_IN_VERSIONS.items():
        kind = find_kind(name)
        assert kind.tag == f"{name}@{version}"
        assert render_system(kind).endswith(f"\nKind: {name}\n\n{kind.instructions}")
        assert len(kind.instructions) > 100
    own = find_kind(OwnKind(name="tone", prompt="Is it kind?"))
    other = find_kind(OwnKind(name="tone", prompt="Is it rude?"))
    assert own.instructions == "Is it kind?"
    assert own.tag != other.tag, "another prompt is another question"
    with pytest.raises(KeyError):
        find_kind("nonsense")
