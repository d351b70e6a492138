import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from claude_batch.git.hook import queue
from claude_batch.git.hook_queue import HookQueue, QueueEntry

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HEAVY = {
    "typer",
    "pydantic",
    "pygit2",
    "anthropic",
    "github",
    "rich",
    "argparse",
    "asyncio",
    "collections",
    "dataclasses",
    "datetime",
    "json",
    "logging",
    "pathlib",
    "re",
    "subprocess",
    "tempfile",
    "tomllib",
    "typing",
}


def at_noon(work: Any, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.chdir(work.path)
    return queue(list(arguments), os.environ, NOON.timestamp)


def spool(work: Any) -> HookQueue:
    return HookQueue(work.path / ".git")


def test_notes_the_staged_tree_and_says_nothing(work, monkeypatch, capfd):
    head = work.commit({"a.py": "one\n"})
    work.write({"a.py": "two\n"})
    work.git("add", "a.py")
    work.write({"a.py": "not staged\n"})

    assert at_noon(work, monkeypatch) == 0

    [note] = spool(work).entries()
    assert note == QueueEntry(work.git("write-tree").decode().strip(), head, NOON)
    assert work.git("show", f"{note.tree}:a.py") == b"two\n"
    assert capfd.readouterr() == ("", "")


def test_an_unborn_branch_has_no_head(work, monkeypatch, capfd):
    work.write({"a.py": "one\n"})
    work.git("add", "a.py")
    assert at_noon(work, monkeypatch) == 0
    assert [note.head for note in spool(work).entries()] == [None]
    assert capfd.readouterr() == ("", "")


def test_a_linked_worktree_notes_in_the_common_directory(work, monkeypatch, tmp_path):
    work.commit({"a.py": "one\n"})
    work.git("worktree", "add", "-q", str(tmp_path / "linked"))
    monkeypatch.chdir(tmp_path / "linked")
    assert queue([], os.environ, NOON.timestamp) == 0
    assert len(spool(work).entries()) == 1


def test_sha256_repositories_have_longer_names(make_work, monkeypatch, tmp_path):
    subprocess.run(
        ["git", "init", "-q", "--object-format=sha256", str(tmp_path / "long")], check=True
    )
    long = make_work("again")
    long.path = tmp_path / "long"
    head = long.commit({"a.py": "one\n"})
    assert len(head) == 64
    assert at_noon(long, monkeypatch) == 0
    assert [note.head for note in spool(long).entries()] == [head]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["commit", "-qm", "m"], b"staged\n"), (["commit", "-qam", "m"], b"not staged\n")],
)
def test_as_a_bare_hook_it_sees_the_index_of_the_commit(work, arguments, expected):
    """`commit -a` commits from a temporary index, which git names in GIT_INDEX_FILE."""
    work.commit({"a.py": "one\n"})
    hook = work.path / ".git" / "hooks" / "pre-commit"
    hook.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m claude_batch queue --strict\n")
    hook.chmod(0o755)
    work.write({"a.py": "staged\n"})
    work.git("add", "a.py")
    work.write({"a.py": "not staged\n"})

    work.git(*arguments)

    [note] = spool(work).entries()
    assert work.git("show", f"{note.tree}:a.py") == expected
    assert note.tree == work.git("rev-parse", "HEAD^{tree}").decode().strip()


def test_a_failure_lets_the_commit_pass_and_is_said(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert queue([], os.environ, NOON.timestamp) == 0
    said = capfd.readouterr()
    assert said.out == ""
    assert "fatal: not a git repository" in said.err
    assert "warning: the staged tree was not noted for review" in said.err
    assert queue(["--strict"], os.environ, NOON.timestamp) == 3


def test_without_git_it_says_so(work, monkeypatch, capfd):
    monkeypatch.chdir(work.path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert queue(["--strict"], os.environ, NOON.timestamp) == 3
    assert "No such file" in capfd.readouterr().err


def test_unknown_options_are_usage_errors(capsys):
    assert queue(["--srtict"], {}, NOON.timestamp) == 2
    assert capsys.readouterr().err == (
        "error: `claude-batch queue` does not know --srtict\n help: its one option is --strict\n"
    )


def test_help_says_what_it_does(capsys):
    assert queue(["--help"], {}, NOON.timestamp) == 0
    assert "Record the staged tree (pre-commit hook)." in capsys.readouterr().out


def test_it_imports_next_to_nothing(work):
    work.commit({"a.py": "one\n"})
    program = (
        "import sys; before = set(sys.modules); sys.argv[1:] = ['queue', '--strict']\n"
        "from claude_batch.__main__ import main\n"
        "assert main() == 0\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=work.path, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & HEAVY
    assert {name for name in loaded if name.startswith("claude_batch")} == {
        "claude_batch",
        "claude_batch.__main__",
        "claude_batch.git.hook",
        "claude_batch.git",
        "claude_batch.environment",
    }
    assert len(spool(work).entries()) == 1


def test_many_hooks_at_once_lose_nothing(work, tmp_path):
    """Four work trees commit while the reader drops what it has handled."""
    work.commit({"a.py": "one\n"})
    program = (
        "import os, sys\n"
        "from claude_batch.git.hook import queue\n"
        "for second in range(100):\n"
        "    at = int(sys.argv[1]) * 1000 + second\n"
        "    assert queue(['--strict'], os.environ, lambda: at) == 0\n"
    )
    writers = []
    for number in range(4):
        tree = tmp_path / f"tree{number}"
        work.git("worktree", "add", "-q", "--detach", str(tree))
        writers.append(subprocess.Popen([sys.executable, "-c", program, str(number)], cwd=tree))

    seen: set[QueueEntry] = set()
    while any(writer.poll() is None for writer in writers):
        notes = spool(work).entries()
        seen |= set(notes)
        spool(work).drop(notes)

    assert [writer.wait() for writer in writers] == [0] * 4
    seen |= set(spool(work).entries())
    assert len({note.recorded_at for note in seen}) == 400
