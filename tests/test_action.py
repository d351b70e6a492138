"""The action as a runner takes it: the workflows that init writes, run by act without Docker.

act is no referee of rights: it ignores `permissions` and gives secrets to forks.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from claude_batch.commands.init import init
from claude_batch.edges.work_tree import WorkTree
from claude_batch.installation import COLLECT, SUBMIT

ROOT = Path(__file__).parents[1]
ACT = Path(sys.executable).parent / "act"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
PULL = {
    "action": "opened",
    "number": 7,
    "pull_request": {
        "number": 7,
        "head": {"ref": "topic", "repo": {"full_name": "octo/shop"}},
        "base": {"ref": "main", "repo": {"full_name": "octo/shop"}},
    },
    "repository": {"full_name": "octo/shop", "name": "shop", "owner": {"login": "octo"}},
}
# Stands in for the program: what reached it, and one output.
STAND_IN = """\
import json, os, sys
from pathlib import Path

seen = {key: os.environ.get(key) for key in json.loads(os.environ["WANTED"])}
out = {"argv": sys.argv[1:], "path": sys.path, "env": seen}
out |= {"cwd": os.getcwd(), "here": os.listdir()}
Path(os.environ["SEEN"]).write_text(json.dumps(out))
with open(os.environ["GITHUB_OUTPUT"], "a") as file:
    file.write("findings=3\\nsaved-usd=0.12\\n")
"""


@pytest.fixture
def consumer(work: Any) -> Any:
    """A repository that has been set up by init, with code that would like to be imported."""
    init(WorkTree(work.path), resolve=lambda url, ref: None, agree=lambda plan: True)
    traps = ("pip", "venv", "json", "ensurepip", "claude_batch", "sitecustomize", "pydantic")
    work.commit({f"{name}.py": "raise SystemExit('the code under review ran')\n" for name in traps})
    work.git("remote", "add", "origin", "https://github.com/octo/shop.git")
    return work


@pytest.fixture
def action_with_stand_in(tmp_path: Path) -> Path:
    """The action's own shell, with a program of a few lines and nothing to install."""
    path = tmp_path / "action"
    (path / "src" / "claude_batch").mkdir(parents=True)
    (path / "requirements").mkdir()
    (path / "requirements" / "base.txt").touch()
    (path / "src" / "claude_batch" / "__main__.py").write_text(STAND_IN)
    shutil.copy(ROOT / "action.yml", path)
    return path


@pytest.fixture
def act(tmp_path: Path, consumer: Any) -> Callable[..., list[dict[str, Any]]]:
    """Runs one workflow of the consumer with an action of one's own; the runner's log as JSON."""

    def run(
        workflow: str,
        event: str,
        payload: Mapping[str, Any],
        *,
        action: Path,
        environ: Mapping[str, str] = {},
        code: int = 0,
    ) -> list[dict[str, Any]]:
        event_file = tmp_path / "event.json"
        event_file.write_text(json.dumps(payload))
        command = [str(ACT), event, "--json", "--no-cache-server", "--eventpath", str(event_file)]
        command += ["--workflows", workflow, "--platform", "ubuntu-24.04=-self-hosted"]
        command += ["--local-repository", f"org/claude-batch@v1={action}"]
        command += ["--secret", "ANTHROPIC_API_KEY=key-of-the-consumer"]
        command += ["--secret", "GITHUB_TOKEN=token-of-the-job"]
        for name, value in environ.items():
            command += ["--env", f"{name}={value}"]
        done = subprocess.run(
            command, cwd=consumer.path, capture_output=True, text=True, env=os.environ
        )
        assert done.returncode == code, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    return run


def test_the_workflow_that_init_writes_runs_the_program(act, action_with_stand_in, tmp_path):
    wanted = ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "GITHUB_TOKEN", "GITHUB_EVENT_NAME"]
    wanted += [f"CLAUDE_BATCH_{name}" for name in ("MODEL", "BUDGET", "FAIL_ON", "LABEL")]
    environ = {"SEEN": str(tmp_path / "seen.json"), "WANTED": json.dumps(wanted)}

    act(SUBMIT, "pull_request", PULL, action=action_with_stand_in, environ=environ)

    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["argv"] == ["ci"]
    assert seen["path"][0].endswith("/org-claude-batch@v1/src")
    assert not {"", ".", seen["cwd"]} & set(seen["path"])
    assert "pydantic.py" in seen["here"]
    assert seen["env"] == {
        "ANTHROPIC_API_KEY": "key-of-the-consumer",
        "ANTHROPIC_BASE_URL": None,
        "GITHUB_TOKEN": "token-of-the-job",
        "GITHUB_EVENT_NAME": "pull_request",
        "CLAUDE_BATCH_MODEL": "",
        "CLAUDE_BATCH_BUDGET": "",
        "CLAUDE_BATCH_FAIL_ON": "",
        "CLAUDE_BATCH_LABEL": "claude-batch-now",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"action": "labeled", "label": {"name": "bug"}},
        {
            "pull_request": PULL["pull_request"]
            | {"head": {"ref": "x", "repo": {"full_name": "stranger/shop"}}}
        },
    ],
)
def test_another_label_and_a_fork_start_no_job(act, action_with_stand_in, tmp_path, change):
    environ = {"SEEN": str(tmp_path / "seen.json"), "WANTED": "[]"}
    act(
        SUBMIT,
        "pull_request",
        PULL | change,
        action=action_with_stand_in,
        environ=environ,
    )
    assert not (tmp_path / "seen.json").exists()


def test_inputs_and_outputs_reach_each_other(consumer, act, action_with_stand_in, tmp_path):
    consumer.commit(
        {
            ".github/workflows/own.yml": """\
on: push
jobs:
  one:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v7
      - uses: org/claude-batch@v1
        id: review
        with:
          anthropic-base-url: http://127.0.0.1:1/$(touch owned)
          fail-on: '"; touch owned; "'
          working-directory: sub
      - run: |
          printf '%s %s' "$FINDINGS" "$SAVED" > "$SEEN.outputs"
          find . -name owned >> "$SEEN.outputs"
        env:
          FINDINGS: ${{ steps.review.outputs.findings }}
          SAVED: ${{ steps.review.outputs.saved-usd }}
""",
            "sub/readme": "x",
        }
    )
    wanted = ["ANTHROPIC_BASE_URL", "CLAUDE_BATCH_FAIL_ON"]
    environ = {"SEEN": str(tmp_path / "seen.json"), "WANTED": json.dumps(wanted)}

    act(".github/workflows/own.yml", "push", {}, action=action_with_stand_in, environ=environ)

    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["env"] == {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:1/$(touch owned)",
        "CLAUDE_BATCH_FAIL_ON": '"; touch owned; "',
    }
    assert Path(seen["cwd"]).name == "sub"
    assert (tmp_path / "seen.json.outputs").read_text() == "3 0.12"


def test_an_old_python_is_said(consumer, act, action_with_stand_in, tmp_path):
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    workflow = (consumer.path / COLLECT).read_text()
    consumer.commit({COLLECT: workflow + f"          python: {old}\n"})
    log = act(COLLECT, "workflow_dispatch", {}, action=action_with_stand_in, code=1)
    assert any(
        "claude-batch needs Python 3.11 or newer: set the input `python`" in line.get("msg", "")
        for line in log
    )


def test_few_inputs_and_all_of_them_through_the_environment():
    assert len(ACTION["inputs"]) <= 10
    for step in ACTION["runs"]["steps"]:
        assert "uses" not in step
        assert "${{" not in step["run"]
