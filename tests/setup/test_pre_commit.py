"""The hook as users run it: by pre-commit, from a clone, on a real commit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from claude_batch.git.hook_queue import HookQueue

ROOT = Path(__file__).parents[2]
PRE_COMMIT = Path(sys.executable).parent / "pre-commit"


@pytest.fixture
def published(make_work):
    """The part of this repository that the hook needs, as a repository with a tag."""
    made = make_work("published")
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", made.path)
    for name in ("hooks", "src"):
        shutil.copytree(ROOT / name, made.path / name, ignore=shutil.ignore_patterns("__pycache__"))
    made.commit(message="release")
    made.git("tag", "v1.0.0")
    return made


@pytest.fixture
def environ(tmp_path, monkeypatch):
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "pre-commit-home"))
    return os.environ


def test_a_commit_through_pre_commit_notes_the_tree(work, published, environ):
    head = work.commit(
        {
            ".pre-commit-config.yaml": (
                "repos:\n"
                f"  - repo: {published.path}\n"
                "    rev: v1.0.0\n"
                "    hooks:\n"
                "      - id: claude-batch-queue\n"
                "        args: [--strict]\n"
            ),
            "a.py": "one\n",
        }
    )
    subprocess.run([PRE_COMMIT, "install"], cwd=work.path, check=True, capture_output=True)
    work.write({"a.py": "two\n"})
    work.git("add", "a.py")
    work.write({"a.py": "not staged\n"})

    done = subprocess.run(
        ["git", "commit", "-m", "two"], cwd=work.path, capture_output=True, text=True, env=environ
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "claude-batch............" in done.stderr
    assert "Passed" in done.stderr
    [note] = HookQueue(work.path / ".git").entries()
    assert note.tree == work.git("rev-parse", "HEAD^{tree}").decode().strip()
    assert note.head == head
    assert (work.path / "a.py").read_text() == "not staged\n"


def test_try_repo(work, published, environ):
    work.commit({"a.py": "one\n"})
    done = subprocess.run(
        [PRE_COMMIT, "try-repo", str(published.path), "claude-batch-queue", "--verbose"],
        cwd=work.path,
        capture_output=True,
        text=True,
        env=environ,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(HookQueue(work.path / ".git").entries()) == 1


def test_the_hook_runs_where_nothing_is_installed(work, published, tmp_path):
    """An interpreter of its own with an empty site: what a hook manager's clone has."""
    work.commit({"a.py": "one\n"})
    done = subprocess.run(
        [Path(sys.base_prefix) / "bin" / "python3", "-S", published.path / "hooks" / "queue"],
        cwd=work.path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(HookQueue(work.path / ".git").entries()) == 1


@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--strict",), 3), (("--wrong",), 2)])
@pytest.mark.parametrize("linked", [False, True])
def test_the_script_passes_on_arguments_and_exit_status(
    published, tmp_path, arguments, code, linked
):
    """Outside a repository, where nothing can be noted; also through a symlink."""
    script = published.path / "hooks" / "queue"
    if linked:
        (tmp_path / "bin").mkdir()
        link = tmp_path / "bin" / "claude-batch-queue"
        link.symlink_to(script)
        script = link
    outside = tmp_path / "no-repository"
    outside.mkdir()
    done = subprocess.run([script, *arguments], cwd=outside, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert done.stderr
