"""What git prints, cut anywhere: it comes through a pipe."""

import pytest

from claude_batch.diff.model import FileChange, Hunk
from claude_batch.diff.parser import parse_diff
from claude_batch.errors import CannotRead

A, B, NONE = "a" * 40, "b" * 40, "0" * 40
RAW = (
    f":100644 100644 {A} {B} M\0a.py\0"
    f":100644 100755 {A} {B} R090\0b.py\0diff --git x\0"
    f":120000 100644 {A} {B} T\0link\0"
    f":100644 100644 {A} {B} M\0pic.png\0"
    f":000000 100644 {NONE} {B} A\0z\0"
)
PATCHES = f"""\
diff --git a/a.py b/a.py
index {A}..{B} 100644
--- a/a.py
+++ b/a.py
@@ -1,2 +1,2 @@
 a
-b
+B
@@ -90 +90 @@ def f():
-x
+y
diff --git a/b.py b/diff --git x
similarity index 90%
rename from b.py
rename to diff --git x
@@ -5 +4,0 @@
-gone
diff --git a/link b/link
deleted file mode 120000
@@ -1 +0,0 @@
-a.py
\\ No newline at end of file
diff --git a/link b/link
new file mode 100644
@@ -0,0 +1 @@
+text
diff --git a/pic.png b/pic.png
index {A}..{B} 100644
Binary files a/pic.png and b/pic.png differ
diff --git a/z b/z
new file mode 100644
index {NONE}..{B}
@@ -0,0 +1,2 @@
+diff --git a/x b/x
+@@ -1 +1 @@
"""
TEXT = 0o100644
CHANGES = [
    FileChange("a.py", "a.py", "modified", TEXT, TEXT, A, B, False,
           (Hunk(1, 1, b" a\n-b\n+B"), Hunk(90, 90, b"-x\n+y", b"def f():"))),
    FileChange("diff --git x", "b.py", "renamed", TEXT, 0o100755, A, B, False,
           (Hunk(5, 4, b"-gone"),)),
    FileChange("link", "link", "added", 0, TEXT, NONE, B, False,
           (Hunk(0, 1, b"+text"),)),
    FileChange("pic.png", "pic.png", "modified", TEXT, TEXT, A, B, True, ()),
    FileChange("z", "z", "added", 0, TEXT, NONE, B, False,
           (Hunk(0, 1, b"+diff --git a/x b/x\n+@@ -1 +1 @@"),)),
]  # fmt: skip


def cut(printed: str, size: int) -> list[bytes]:
    raw = printed.encode()
    return [raw[at : at + size] for at in range(0, len(raw), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 500, 10_000])
def test_files_are_the_same_wherever_a_piece_ends(size: int) -> None:
    assert list(parse_diff(cut(f"{RAW}\0{PATCHES}", size))) == CHANGES


def test_a_file_is_there_before_the_next_one_is_printed() -> None:
    pieces = iter([f"{RAW}\0{PATCHES}".encode()[:1000]])
    assert next(parse_diff(pieces)) == CHANGES[0]


def test_no_change_is_no_file() -> None:
    assert list(parse_diff([])) == []


@pytest.mark.parametrize(
    "printed",
    [
        RAW,
        f"{RAW}\0{PATCHES.rpartition('diff --git a/z')[0]}",
        f"{RAW}\0{PATCHES}diff --git a/one b/more\n",
    ],
    ids=["no patches", "one too few", "one too many"],
)
def test_files_and_patches_that_do_not_pair_are_refused(printed: str) -> None:
    with pytest.raises(CannotRead, match="do not pair"):
        list(parse_diff(cut(printed, 100)))
