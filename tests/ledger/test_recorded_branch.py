"""A state branch of an earlier version reads the same.

`data/state-branch.bundle` was written by claude-batch of 2026-11-30 against the sandbox servers:
a pull request with second looks and comments, a refactoring and a snapshot of folded files, then
an answered batch and an open one. The JSON files are what that version printed at NOW.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from claude_batch.cli import clock
from claude_batch.cli.main import app
from scratch import Work

DATA = Path(__file__).parent / "data"
NOW = datetime(2026, 11, 14, 15, 45, tzinfo=UTC)
STATE = "refs/heads/claude-batch-state"


@pytest.fixture
def clone(tmp_path: Path, work: Work, monkeypatch: pytest.MonkeyPatch) -> Work:
    work.commit({"a.py": "a = 1\n"})
    work.git("fetch", "-q", str(DATA / "state-branch.bundle"), f"{STATE}:{STATE}")
    work.git("clone", "-q", "--bare", str(work.path), str(tmp_path / "origin.git"))
    work.git("update-ref", "-d", STATE)
    work.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    monkeypatch.setattr(clock, "utc_now", lambda: NOW)
    return work


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("status", ["status"]),
        ("cost", ["cost"]),
        ("cost-by-kind", ["cost", "--by", "kind"]),
        ("findings", ["findings"]),
    ],
)
def test_an_earlier_state_branch_reads_the_same(
    clone: Work, name: str, arguments: list[str]
) -> None:
    done = CliRunner().invoke(app, [*arguments, "--format", "json", "-C", str(clone.path)])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == recorded(name)


def recorded(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


def test_the_earlier_state_branch_covers_the_format() -> None:
    """Otherwise the comparison above proves little."""
    assert {row["outcome"] for row in recorded("findings")["items"]} >= {"posted", "refuted"}
    assert len(recorded("cost-by-kind")["groups"]) >= 3
    assert recorded("status")["pending_tasks"] == 16
