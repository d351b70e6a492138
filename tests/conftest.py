"""The sealed box: no user's git config, no network but loopback, no credentials, fixed dates."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pygit2
import pytest
from hypothesis import settings
from pygit2.enums import ConfigLevel

from scratch import GIT_CONFIG, Work

# How long an example takes says nothing of the program, and much of the machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

SECRETS = ("ANTHROPIC_", "GITHUB_", "GH_", "ACTIONS_", "RUNNER_", "GIT_", "CI", "NO_COLOR")


@pytest.fixture(autouse=True)
def sealed_box(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(GIT_CONFIG)
    # $HOME alone is too late: libgit2 reads it when it is imported.
    for level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL):
        pygit2.settings.search_path[level] = str(home)
    import os

    for name in list(os.environ):
        if name.startswith(SECRETS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2026-11-22T10:00:00Z")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-11-22T10:00:00Z")
    return home


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """An empty repository on the unborn branch main."""
    path = tmp_path / "work"
    path.mkdir()
    made = Work(path)
    made.git("init", "-q")
    return made


@pytest.fixture
def make_work(tmp_path: Path) -> Callable[..., Work]:
    """`make_work("clone", "clone", "-q", url)`: a repository made by a git command of one's own."""

    def make(name: str, *args: str) -> Work:
        path = tmp_path / name
        if args:
            subprocess.run(["git", *args, str(path)], check=True, capture_output=True)
        else:
            path.mkdir()
            subprocess.run(["git", "init", "-q", str(path)], check=True, capture_output=True)
        return Work(path)

    return make
