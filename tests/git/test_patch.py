import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_batch.diff.lines import split_keeping_newlines
from claude_batch.findings.suggestions import Suggestion, combine_suggestions, validate_suggestion
from claude_batch.git.patch import make_patch, make_patches


def apply(folder: Path, patch: bytes) -> None:
    """Real git, outside of any repository, so that nothing but the bytes counts."""
    for check in (["--check"], []):
        done = subprocess.run(
            ["git", "apply", *check, "-"], cwd=folder, input=patch, capture_output=True
        )
        assert done.returncode == 0, done.stderr.decode() + patch.decode("utf-8", "replace")


def suggest(blob: bytes, first: int, last: int, replacement: str, path: str = "a.py") -> Suggestion:
    seen = [row.removesuffix(b"\n") for row in split_keeping_newlines(blob)[first - 1 : last]]
    found = validate_suggestion(blob, first, last, seen, replacement, path)
    assert isinstance(found, Suggestion), found
    return found


LONG = "".join(f"line {n}\n" for n in range(1, 31)).encode()


def test_a_patch_as_git_writes_it() -> None:
    after = LONG.replace(b"line 2\n", b"two\n").replace(b"line 29\n", b"")
    assert make_patch("a.txt", LONG, after) == (
        b"diff --git a/a.txt b/a.txt\n"
        b"index ac9837c..edfa1f8 100644\n"
        b"--- a/a.txt\n"
        b"+++ b/a.txt\n"
        b"@@ -1,5 +1,5 @@\n"
        b" line 1\n"
        b"-line 2\n"
        b"+two\n"
        b" line 3\n"
        b" line 4\n"
        b" line 5\n"
        b"@@ -26,5 +26,4 @@ line 25\n"
        b" line 26\n"
        b" line 27\n"
        b" line 28\n"
        b"-line 29\n"
        b" line 30\n"
    )


@pytest.mark.parametrize(
    "path",
    ["a.py", "a dir/b file.py", 'quo"te.py', "back\\slash", "tab\there", "new\nline", "grün/ß.py"],
)
def test_odd_paths(tmp_path: Path, path: str) -> None:
    target = tmp_path / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"a\n")
    apply(tmp_path, make_patch(path, b"a\n", b"b\n"))
    assert target.read_bytes() == b"b\n"


def test_an_executable_file_stays_one(tmp_path: Path) -> None:
    target = tmp_path / "run.sh"
    target.write_bytes(b"a\n")
    target.chmod(0o755)
    apply(tmp_path, make_patch("run.sh", b"a\n", b"b\n"))
    assert target.read_bytes() == b"b\n"
    assert target.stat().st_mode & 0o111


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\r\nb\r\n", b"a\r\nc\r\n"),
        (b"a\nb", b"a\nc"),
        (b"a\nb", b"a\nb\n"),
        (b"a\nb\n", b"a\nb"),
        (b"", b"a\n"),
        (b"a\n", b""),
        (b"a", b""),
        (b"\xff\x0c\n\r\nx", b"\xfe\x0c\n\r\nx"),
        (LONG, LONG.replace(b"1\n", b"1!\n")),
        (LONG, b"first\n" + LONG + b"last"),
    ],
)
def test_git_takes_it(tmp_path: Path, before: bytes, after: bytes) -> None:
    target = tmp_path / "a.txt"
    target.write_bytes(before)
    apply(tmp_path, make_patch("a.txt", before, after))
    assert target.read_bytes() == after


LINES = st.lists(
    st.sampled_from([b"a", b"b", b"", b"c\r", b"-- x", b"\\ no", b"@@ -1 +1 @@", b"\xff", b"\0"]),
    max_size=14,
)
# A file name of Linux: no slash, no NUL. "." and ".." are folders, and git refuses ".git".
NAMES = st.text(st.sampled_from("ab .\t\n\"\\'äß🙂-"), min_size=1, max_size=6).filter(
    lambda name: name.strip(".")
)


@settings(max_examples=100, deadline=None)
@given(NAMES, LINES, LINES)
def test_git_applies_any_edit(
    tmp_path_factory: pytest.TempPathFactory, name: str, old: list[bytes], new: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("edit")
    before, after = b"\n".join(old), b"\n".join(new)
    (folder / name).write_bytes(before)
    if patch := make_patch(name, before, after):
        apply(folder, patch)
    assert (folder / name).read_bytes() == after


def test_equal_sides_make_no_patch() -> None:
    assert make_patch("a.py", b"a\n", b"a\n") == b""


def test_several_files_in_one_patch(tmp_path: Path) -> None:
    files = {"b.py": (b"1\n", b"2\n"), "a.py": (b"x", b"y"), "same": (b"s", b"s")}
    for name, (before, _) in files.items():
        (tmp_path / name).write_bytes(before)
    apply(tmp_path, make_patches(files))
    assert {name: (tmp_path / name).read_bytes() for name in files} == {
        "a.py": b"y", "b.py": b"2\n", "same": b"s",
    }  # fmt: skip


def test_edits_of_one_file_are_combined_from_the_bottom_up() -> None:
    blob = b"a = 1\nb = 2\nc = 3\n"
    top = suggest(blob, 1, 1, "a = 1\naa = 1")
    bottom = suggest(blob, 3, 3, "c = 4")
    combined = combine_suggestions(blob, [top, bottom])
    assert combined.after == b"a = 1\naa = 1\nb = 2\nc = 4\n"
    assert combined.accepted == (top, bottom)
    assert combined.rejected == ()


def test_of_two_that_overlap_the_first_stays() -> None:
    blob = b"a = 1\nb = 2\nc = 3\n"
    first, second = suggest(blob, 1, 2, "ab = 3"), suggest(blob, 2, 3, "bc = 5")
    combined = combine_suggestions(blob, [first, second])
    assert combined.after == b"ab = 3\nc = 3\n"
    assert combined.rejected == ((second, "another suggestion changes the same lines"),)


def test_of_two_that_do_not_parse_together_the_first_stays() -> None:
    blob = b"if a:\n    b()\n    c()\n"
    first, second = suggest(blob, 2, 2, ""), suggest(blob, 3, 3, "")
    combined = combine_suggestions(blob, [first, second])
    assert combined.after == b"if a:\n    c()\n"
    assert combined.rejected == ((second, "the file would no longer parse with the others"),)
