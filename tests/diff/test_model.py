import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_batch.diff.model import Hunk, Line
from claude_batch.diff.parser import parse_hunks
from claude_batch.diff.whole_files import build_context_hunk

PATCH = b"""\
a/f.py b/f.py
index 1111..2222 100644
--- a/f.py
+++ b/f.py
@@ -1 +1,2 @@
-a
+b
+c
@@ -10,3 +11 @@ def f(x):  # \xff
 x
-@@ -1 +1 @@
-diff --git a/y b/y
@@ -20,0 +20 @@
+last
\\ No newline at end of file
"""


def test_hunks_of_a_patch() -> None:
    assert parse_hunks(PATCH) == (
        Hunk(1, 1, b"-a\n+b\n+c"),
        Hunk(10, 11, b" x\n-@@ -1 +1 @@\n-diff --git a/y b/y", b"def f(x):  # \xff"),
        Hunk(20, 20, b"+last\n\\ No newline at end of file"),
    )


@pytest.mark.parametrize("patch", [b"", b"a/f b/f\nold mode 100644\nnew mode 100755\n"])
def test_a_patch_without_hunks(patch: bytes) -> None:
    assert parse_hunks(patch) == ()


def test_a_patch_may_begin_with_its_first_hunk() -> None:
    assert parse_hunks(b"@@ -1,0 +2 @@\n+x\n") == (Hunk(1, 2, b"+x"),)


def test_what_only_looks_like_a_header_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a hunk header"):
        parse_hunks(b"\n@@ -x +y @@\n")


def test_lines_have_numbers_and_know_of_the_last_newline() -> None:
    body = b" a\r\n-b\n\\ No newline at end of file\n+\n+c\x0cd\n\\ No newline at end of file"
    assert Hunk(7, 9, body).lines == (
        Line(" ", b"a\r", 7, 9),
        Line("-", b"b", 8, None, newline=False),
        Line("+", b"", None, 10),
        Line("+", b"c\x0cd", None, 11, newline=False),
    )


ROWS = st.lists(st.sampled_from([b"a", b"\n", b"\r"]), min_size=1).map(b"".join)


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=60) | ROWS)
def test_a_context_hunk_is_the_whole_file(content: bytes) -> None:
    lines = build_context_hunk(content).lines
    assert b"".join(line.text + b"\n" * line.newline for line in lines) == content
    assert [line.new for line in lines] == [line.old for line in lines]
    assert [line.new for line in lines] == list(range(1, len(lines) + 1))
    assert {line.sign for line in lines} == {" "}
