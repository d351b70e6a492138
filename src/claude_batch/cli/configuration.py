"""Load the configuration of a command: its file, then the action's inputs, then the flags."""

from collections.abc import Mapping
from pathlib import Path

from claude_batch.config.loader import OWN_FILE, PYPROJECT, choose_config, override_config
from claude_batch.config.model import Config
from claude_batch.git.repository import Repository

INPUTS = ("model", "fail_on", "budget", "max_comments")


def load_config(
    repository: Repository,
    commit: str | None = None,
    flags: Mapping[str, object] | None = None,
) -> Config:
    """The configuration at a commit, by default in the work tree (of HEAD if there is none)."""
    if commit is None and repository.root is None:
        commit = "HEAD"
    files = {name: _read(repository, commit, name) for name in (OWN_FILE, PYPROJECT)}
    environ = repository.git.environ
    inputs = {key: environ.get(f"CLAUDE_BATCH_{key.upper()}") or None for key in INPUTS}
    config = override_config(choose_config(files), **inputs)
    return override_config(config, **(flags or {}))


def _read(repository: Repository, commit: str | None, name: str) -> bytes | None:
    if commit is not None:
        return repository.blob(commit, name)
    try:
        return ((repository.root or Path()) / name).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        return None
