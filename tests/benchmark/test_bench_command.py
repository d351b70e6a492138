"""`claude-batch bench` as a process: new answers once, then replays of the recorded ones."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from claude_batch.sandbox.anthropic_server.server import BatchesServer

PROGRAM = Path(sys.executable).parent / "claude-batch"


def run(*args: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "bench", *args], capture_output=True, text=True, env={**os.environ, **environ}
    )


@pytest.fixture
def cases(make_work: Any, tmp_path: Path) -> Path:
    """Two pull requests: one whose findings are known, one whose repository is not there."""
    (tmp_path / "octo").mkdir()
    work = make_work("octo/shop")
    base = work.commit({"a.py": "def f(x):\n    return x\n"})
    head = work.commit({"a.py": "def f(x):\n    if x == None:\n        return 0\n    return x\n"})
    known = [{"path": "a.py", "side": "right", "from_line": 2, "to_line": 2}]
    row = {"target_commit": base, "source_commit": head, "comments": known}
    rows = [
        {**row, "githubPrUrl": "https://github.com/octo/shop/pull/1"},
        {**row, "githubPrUrl": "https://github.com/octo/gone/pull/2"},
    ]
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(rows))
    return path


def test_answers_are_asked_for_once_and_replayed_without_a_key(cases: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    flags = [cases, "--repos", tmp_path, "--answers", answers, "--format", "json"]
    with BatchesServer() as server:
        there = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": server.url}
        first = run(*flags, "--produce", **there)
        again = run(*flags, "--produce", **there)
        created = [one for one in server.log if one.path == "/v1/messages/batches"]
    assert (first.returncode, first.stderr) == (0, "1 new answers\n")
    assert (again.returncode, again.stderr) == (0, "0 new answers\n")
    assert len(created) == 1
    replayed = run(*flags)
    assert replayed.stdout == first.stdout == again.stdout
    said = json.loads(replayed.stdout)
    assert said["pull_requests"] == said["golden"] == said["comments"] == 1
    assert said["placement"] == said["precision"] == said["recall"] == 1.0
    assert said["usd"] > 0
    assert said["skipped"] == {
        "https://github.com/octo/gone/pull/2": f"octo/gone is not in {tmp_path}"
    }


def test_without_recorded_answers_it_says_what_is_missing(cases: Path, tmp_path: Path) -> None:
    done = run(cases, "--repos", tmp_path)
    assert done.returncode == 0
    assert "0 pull requests replayed" in done.stdout
    assert "1 request without a recorded answer (--produce asks)" in done.stdout
    assert "skipped: https://github.com/octo/gone/pull/2: octo/gone is not in" in done.stdout


@pytest.mark.parametrize(
    ("args", "code", "problem"),
    [
        (["--produce"], 2, "--produce has nowhere to keep the answers"),
        (["--answers", "broken.jsonl"], 3, "broken.jsonl holds a line that is not a result"),
    ],
)
def test_bad_input(cases: Path, tmp_path: Path, args: list[str], code: int, problem: str) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{}\n")
    paths = [str(broken) if arg == broken.name else arg for arg in args]
    done = run(cases, "--repos", tmp_path, *paths)
    assert done.returncode == code
    assert problem in done.stderr
    assert "\n help: " in done.stderr
