"""What a change looks like to us, one kind of change a row, each made by git itself."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from claude_batch.diff.model import FileChange, Hunk, SkippedFile
from claude_batch.git.repository import Repository
from scratch import Work

Content = dict[str, str | bytes]
CODE = "".join(f"{at} line\n" for at in range(1, 21))
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12\n"


def opened(work: Work) -> Repository:
    return Repository.open(work.path, os.environ)


def link(target: str, name: str) -> Callable[[Work], None]:
    def make(work: Work) -> None:
        (work.path / name).unlink(missing_ok=True)
        (work.path / name).symlink_to(target)

    return make


def run(*commands: str) -> Callable[[Work], None]:
    def make(work: Work) -> None:
        for command in commands:
            work.git(*command.split())

    return make


def submodule(commit: str) -> Callable[[Work], None]:
    def make(work: Work) -> None:
        work.git("update-index", "--add", "--cacheinfo", f"160000,{commit * 40},sub")

    return make


def text(name: str, content: str) -> Callable[[Work], None]:
    def make(work: Work) -> None:
        (work.path / name).unlink(missing_ok=True)
        (work.path / name).write_text(content)

    return make


def steps(*makers: Callable[[Work], None]) -> Callable[[Work], None]:
    def make(work: Work) -> None:
        for maker in makers:
            maker(work)

    return make


unchanged = steps()


@dataclass(frozen=True)
class Case:
    before: Content
    after: Content
    files: tuple[tuple[str, str, tuple[Hunk, ...]], ...] = ()  # path, status, hunks
    left_out: tuple[tuple[str, str], ...] = ()
    prepare: Callable[[Work], None] = unchanged
    act: Callable[[Work], None] = unchanged


ADDED_PATHS = (" b/x", "-dash.py", "café/ü.py", "new\nline.py", 'q"uo\\te.py', "tab\t.py")
NO_NEWLINE = b"\\ No newline at end of file"
CASES = {
    "edit": Case(
        {"a.py": "a\nb\nc\n"}, {"a.py": "a\nB\nc\n"},
        (("a.py", "modified", (Hunk(1, 1, b" a\n-b\n+B\n c"),)),),
    ),
    "two hunks with a heading": Case(
        {"a.py": "def f():\n" + CODE},
        {"a.py": "def f():\n" + CODE.replace("\n2 line\n", "\ntwo\n").replace("18 line\n", "")},
        (("a.py", "modified", (
            Hunk(1, 1, b" def f():\n 1 line\n-2 line\n+two\n 3 line\n 4 line\n 5 line"),
            Hunk(16, 16, b" 15 line\n 16 line\n 17 line\n-18 line\n 19 line\n 20 line",
                 b"def f():"),
        )),),
    ),
    "only deletions": Case(
        {"a.py": "a\nb\nc\n"}, {"a.py": "a\nc\n"},
        (("a.py", "modified", (Hunk(1, 1, b" a\n-b\n c"),)),),
    ),
    "omitted counts": Case(
        {"a.py": "a\n"}, {"a.py": "b\n"},
        (("a.py", "modified", (Hunk(1, 1, b"-a\n+b"),)),),
    ),
    "new file": Case(
        {}, {"a.py": "a\n\n"}, (("a.py", "added", (Hunk(0, 1, b"+a\n+"),)),),
    ),
    "emptied file": Case(
        {"a.py": "a\n"}, {"a.py": ""}, (("a.py", "modified", (Hunk(1, 0, b"-a"),)),),
    ),
    "newline removed": Case(
        {"a.py": "a\nb\n"}, {"a.py": "a\nb"},
        (("a.py", "modified", (Hunk(1, 1, b" a\n-b\n+b\n" + NO_NEWLINE),)),),
    ),
    "newline added": Case(
        {"a.py": "a\nb"}, {"a.py": "a\nb\n"},
        (("a.py", "modified", (Hunk(1, 1, b" a\n-b\n" + NO_NEWLINE + b"\n+b"),)),),
    ),
    "no newline on either side": Case(
        {"a.py": "a"}, {"a.py": "b"},
        (("a.py", "modified", (
            Hunk(1, 1, b"-a\n" + NO_NEWLINE + b"\n+b\n" + NO_NEWLINE),
        )),),
    ),
    "CRLF": Case(
        {"a.py": "a\r\nb\r\n"}, {"a.py": "a\r\nc\r\n"},
        (("a.py", "modified", (Hunk(1, 1, b" a\r\n-b\r\n+c\r"),)),),
    ),
    "byte order mark": Case(
        {"a.py": b"a\n"}, {"a.py": b"\xef\xbb\xbfa\n"},
        (("a.py", "modified", (Hunk(1, 1, b"-a\n+\xef\xbb\xbfa"),)),),
    ),
    "content that is not UTF-8": Case(
        {"a.py": b"\xe9\n"}, {"a.py": b"\xe8\n"},
        (("a.py", "modified", (Hunk(1, 1, b"-\xe9\n+\xe8"),)),),
    ),
    "rows that look like headers": Case(
        {"a.py": "x\n-- a\n"}, {"a.py": "x\n++ b\n@@ -1 +1 @@\ndiff --git a/x b/x\n"},
        (("a.py", "modified", (
            Hunk(1, 1, b" x\n--- a\n+++ b\n+@@ -1 +1 @@\n+diff --git a/x b/x"),
        )),),
    ),
    "rename with edits": Case(
        {"a.py": CODE}, {"b/c.py": CODE.replace("20 line", "end")},
        (("b/c.py", "renamed", (
            Hunk(17, 17, b" 17 line\n 18 line\n 19 line\n-20 line\n+end"),
        )),),
        act=run("rm -q a.py"),
    ),
    "rename without edits": Case(
        {"a.py": CODE}, {"b.py": CODE}, left_out=(("b.py", "renamed without changes"),),
        act=run("rm -q a.py"),
    ),
    "deleted": Case(
        {"a.py": "a\n"}, {}, left_out=(("a.py", "deleted file"),), act=run("rm -q a.py"),
    ),
    "mode only": Case(
        {"a.py": "a\n"}, {}, left_out=(("a.py", "mode change only"),),
        act=lambda work: (work.path / "a.py").chmod(0o755),
    ),
    "mode and edit": Case(
        {"a.py": "a\n"}, {"a.py": "b\n"},
        (("a.py", "modified", (Hunk(1, 1, b"-a\n+b"),)),),
        act=lambda work: (work.path / "a.py").chmod(0o755),
    ),
    "empty files": Case(
        {"b.py": ""}, {"a.py": ""},
        left_out=(("a.py", "empty file"), ("b.py", "mode change only")),
        act=lambda work: (work.path / "b.py").chmod(0o755),
    ),
    "binary": Case(
        {"a.png": b"\x89PNG\0a"}, {"a.png": b"\x89PNG\0b"}, left_out=(("a.png", "binary"),),
    ),
    "UTF-16": Case(
        {}, {"a.txt": "a\n".encode("utf-16")}, left_out=(("a.txt", "binary"),),
    ),
    "over a megabyte": Case(
        {"a.txt": "a\n" * (1 << 19)}, {"a.txt": "a\n" * (1 << 19) + "b"},
        left_out=(("a.txt", "larger than 1 MB"),),
    ),
    "a megabyte": Case(
        {}, {"a.txt": "a" * ((1 << 20) - 1) + "\n"},
        (("a.txt", "added", (Hunk(0, 1, b"+" + b"a" * ((1 << 20) - 1)),)),),
    ),
    "LFS pointer": Case(
        {"a.bin": LFS.format("1"), "c.bin": "text\n"},
        {"a.bin": LFS.format("2"), "b.bin": LFS.format("3"), "c.bin": LFS.format("4")},
        left_out=tuple((f"{name}.bin", "Git LFS pointer") for name in "abc"),
    ),
    "from an LFS pointer to text": Case(
        {"a.py": LFS.format("1")}, {"a.py": "a\n"},
        (("a.py", "modified", (
            Hunk(1, 1, b"".join(b"-%b\n" % row for row in LFS.format("1").encode().split(b"\n")[:3])
                 + b"+a"),
        )),),
    ),
    "prose about LFS": Case(
        {}, {"a.md": "# Pointers\n" + LFS.format("1")},
        (("a.md", "added", (
            Hunk(0, 1, b"+# Pointers\n+" + LFS.format("1").encode().strip().replace(b"\n", b"\n+")),
        )),),
    ),
    "symlinks": Case(
        {}, {"a.py": "a\n"}, (("a.py", "added", (Hunk(0, 1, b"+a"),)),),
        left_out=(("new", "symlink"), ("there", "symlink")),
        prepare=link("here", "there"),
        act=steps(link("x", "new"), link("y", "there")),
    ),
    "file becomes symlink, symlink becomes file": Case(
        {"a": "a\n", "m": "m\n", "z": "z\n"}, {"m": "n\n", "z": "y\n"},
        (
            ("l", "added", (Hunk(0, 1, b"+text"),)),
            ("m", "modified", (Hunk(1, 1, b"-m\n+n"),)),
            ("z", "modified", (Hunk(1, 1, b"-z\n+y"),)),
        ),
        left_out=(("a", "symlink"),),
        prepare=link("a", "l"),
        act=steps(link("m", "a"), text("l", "text\n")),
    ),
    "paths": Case(
        {"with space.py": "a\n"},
        dict.fromkeys((*ADDED_PATHS, "with space.py"), "b\n"),
        (
            *((path, "added", (Hunk(0, 1, b"+b"),)) for path in ADDED_PATHS),
            ("with space.py", "modified", (Hunk(1, 1, b"-a\n+b"),)),
        ),
    ),
    "paths that are not UTF-8": Case(
        {os.fsdecode(b"from\xff.py"): CODE},
        {os.fsdecode(b"b\xfe\n.py"): "b\n", "to.py": CODE + "x\n"},
        (("to.py", "renamed", (Hunk(18, 18, b" 18 line\n 19 line\n 20 line\n+x"),)),),
        left_out=((r"b\xfe\n.py", "path is not UTF-8"),),
        act=lambda work: os.unlink(os.fsencode(work.path) + b"/from\xff.py"),
    ),
    "attributes of the head hide nothing": Case(
        {"a.py": "a\n", ".gitattributes": "*.c -diff\n"},
        {"a.py": "b\n", ".gitattributes": "*.py -diff\n*.py binary\n"},
        (
            (".gitattributes", "modified", (
                Hunk(1, 1, b"-*.c -diff\n+*.py -diff\n+*.py binary"),
            )),
            ("a.py", "modified", (Hunk(1, 1, b"-a\n+b"),)),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_kinds_of_changes(work: Work, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work.path)
    case = CASES[name]
    work.write(case.before)
    case.prepare(work)
    base = work.commit()
    case.act(work)
    head = work.commit(case.after)
    found = opened(work).diff(opened(work).compare_range(base, head))
    assert [(file.path, file.status, file.hunks) for file in found.files] == list(case.files)
    assert found.skipped == tuple(SkippedFile(*row) for row in case.left_out)


def test_a_file_change_has_ids_and_modes_of_both_sides(work: Work) -> None:
    base = work.commit({"a.py": CODE})
    work.git("mv", "a.py", "b.py")
    (work.path / "b.py").chmod(0o755)
    head = work.commit({"b.py": CODE + "x\n"})
    repository = opened(work)
    (found,) = repository.diff(repository.compare_range(base, head)).files
    old, new = (
        work.git("rev-parse", name).decode().strip() for name in (f"{base}:a.py", f"{head}:b.py")
    )
    assert found == FileChange(
        "b.py", "a.py", "renamed", 0o100644, 0o100755, old, new, hunks=found.hunks
    )


def test_submodules(work: Work) -> None:
    work.write({"a.py": "a\n"})
    work.git("add", "a.py")
    submodule("1")(work)
    work.git("commit", "-qm", "one")
    submodule("2")(work)
    work.write({"a.py": "b\n"})
    work.git("add", "a.py")
    work.git("config", "diff.submodule", "log")
    work.git("config", "submodule.sub.ignore", "all")
    work.git("config", "submodule.sub.path", "sub")
    work.git("commit", "-qm", "two")
    repository = opened(work)
    found = repository.diff(repository.compare_range("HEAD~1", "HEAD"))
    assert [file.path for file in found.files] == ["a.py"]
    assert found.skipped == (SkippedFile("sub", "submodule"),)


def test_a_submodule_that_becomes_a_file_is_added(work: Work) -> None:
    work.commit({"a.py": "a\n"})
    submodule("1")(work)
    work.git("commit", "-qm", "one")
    work.git("update-index", "--force-remove", "sub")
    work.commit({"sub": "text\n"})
    repository = opened(work)
    to_file = repository.diff(repository.compare_range("HEAD~1", "HEAD"))
    (found,) = to_file.files
    added = ("added", 0, "0" * 40, (Hunk(0, 1, b"+text"),))
    assert (found.status, found.old_mode, found.old_blob, found.hunks) == added
    assert to_file.skipped == ()
    back = repository.compare_trees("HEAD", opened(work).resolve("HEAD~1"), "back")
    to_submodule = repository.diff(back)
    assert (to_submodule.files, to_submodule.skipped) == ((), (SkippedFile("sub", "submodule"),))


def test_a_checkout_of_a_submodule_is_a_repository_like_others(
    work: Work, make_work: Callable[..., Work]
) -> None:
    inner = make_work("inner")
    inner.commit({"x.py": "a\n"})
    inner.commit({"x.py": "b\n"})
    work.commit({"a.py": "a\n"})
    work.git("submodule", "--quiet", "add", str(inner.path), "sub")
    work.git("commit", "-qm", "submodule")
    repository = Repository.open(work.path / "sub", os.environ)
    assert repository.root == work.path / "sub"
    found = repository.diff(repository.compare_range("HEAD~1", "HEAD"))
    assert [file.path for file in found.files] == ["x.py"]


def test_a_large_file_is_not_even_loaded(work: Work) -> None:
    noise = random.Random(7).randbytes(1 << 20)  # noqa: S311
    base = work.commit({"a.txt": b"a" + noise.hex().encode()})
    head = work.commit({"a.txt": b"b" + noise.hex().encode()})
    oid = work.git("rev-parse", f"{head}:a.txt").decode().strip()
    stored = work.path / ".git" / "objects" / oid[:2] / oid[2:]
    whole = stored.read_bytes()
    stored.chmod(0o644)
    stored.write_bytes(whole[:4096])  # the size stands at the beginning; the rest cannot be read
    repository = opened(work)
    found = repository.diff(repository.compare_range(base, head))
    assert found.skipped == (SkippedFile("a.txt", "larger than 1 MB"),)


@pytest.mark.parametrize(
    "config",
    [
        ("diff.suppressBlankEmpty", "true"),
        ("diff.algorithm", "patience"),
        ("diff.context", "9"),
        ("diff.interHunkContext", "40"),
        ("diff.renames", "false"),
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.external", "false"),
        ("diff.indentHeuristic", "false"),
        ("color.ui", "always"),
        ("core.quotePath", "false"),
        ("core.abbrev", "5"),
        ("core.attributesFile", "attributes"),
    ],
)
def test_no_users_config_changes_a_diff(work: Work, config: tuple[str, str]) -> None:
    text = "def f():\n    a\n\n    b\n" + CODE
    base = work.commit({"a.py": text, "b.py": text})
    work.git("rm", "-q", "b.py")
    head = work.commit({"a.py": text.replace("    b", "    c") + "x\n", "ü.py": text + "y\n"})
    before = opened(work).diff(opened(work).compare_range(base, head))
    (work.path / "attributes").write_text("*.py -diff\n")
    work.git(
        "config", config[0], config[1] if config[1] != "attributes" else f"{work.path}/attributes"
    )
    assert opened(work).diff(opened(work).compare_range(base, head)) == before
    assert [file.status for file in before.files] == ["modified", "renamed"]


def apply(content: bytes, hunks: tuple[Hunk, ...]) -> bytes:
    """Our hunks on the old file, by their numbers alone."""
    rows = content.split(b"\n")
    rows = [row + b"\n" for row in rows[:-1]] + ([rows[-1]] if rows[-1] else [])
    made: list[bytes] = []
    taken = 0
    for hunk in hunks:
        olds = [line for line in hunk.lines if line.sign != "+"]
        # A hunk without old lines names the line before it.
        start = hunk.old_start - 1 if olds else hunk.old_start
        made += rows[taken:start]
        assert [line.text + b"\n" * line.newline for line in olds] == rows[
            start : start + len(olds)
        ]
        assert [line.old for line in olds] == list(range(start + 1, start + 1 + len(olds)))
        made += [line.text + b"\n" * line.newline for line in hunk.lines if line.sign != "-"]
        taken = start + len(olds)
    return b"".join(made + rows[taken:])


def grown(chance: random.Random, content: bytes) -> bytes:
    words = [
        b"",
        b"}",
        b"    x = 1",
        b"def f():",
        b"\tcaf\xe9",
        b"a\x0cb",
        b"c\r",
        b"-- ",
        b"@@ -1 +1 @@",
    ]
    rows = content.split(b"\n")
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(rows) + 1)
        if chance.random() < 0.5:
            rows[at:at] = chance.choices(words, k=chance.randint(1, 9))
        else:
            del rows[at : at + chance.randint(1, 4)]
    return b"\n".join(rows)


def test_hunks_turn_old_files_into_new_ones_byte_for_byte(work: Work) -> None:
    chance = random.Random(7)  # noqa: S311
    names = [f"d{at % 3}/f{at}.py" for at in range(12)]
    tree: Content = {name: grown(chance, b"a\n" * 60) for name in names}
    base = work.commit(tree)
    for _ in range(12):
        for name in chance.sample(names, 5):
            content = tree[name]
            assert isinstance(content, bytes)
            tree[name] = grown(chance, content)
        victim = chance.choice(names)
        work.git("mv", victim, f"{victim}x")
        tree[f"{victim}x"] = tree.pop(victim)
        names[names.index(victim)] = f"{victim}x"
        work.commit(tree)
    repository = opened(work)
    checked = 0
    for start, end in [(base, "HEAD"), *((f"HEAD~{at + 1}", f"HEAD~{at}") for at in range(12))]:
        found = repository.diff(repository.compare_range(start, end)).files
        blobs = repository.read(oid for file in found for oid in (file.old_blob, file.new_blob))
        for file in found:
            assert apply(blobs.get(file.old_blob, b""), file.hunks) == blobs[file.new_blob]
            checked += 1
    assert checked > 50
