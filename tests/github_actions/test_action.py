"""The action as a runner takes it: the workflows that init writes, run by act without Docker.

act is no referee of rights: it ignores `permissions` and gives secrets to forks.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from claude_batch.cli.output.ci_result import CiResult, action_outputs
from claude_batch.git.work_tree import WorkTree
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.github_server.server import GitHubServer
from claude_batch.setup.init import COLLECT, SUBMIT, set_up_repository

ROOT = Path(__file__).parents[2]
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
SUSPICIOUS = """\
def total(prices):
    try:
        return eval("+".join(prices))
    except:
        pass
"""
# Stands in for the program: what reached it, and one output.
STAND_IN = """\
import json, os, sys
from pathlib import Path

seen = {key: os.environ.get(key) for key in json.loads(os.environ["WANTED"])}
out = {"argv": sys.argv[1:], "path": sys.path, "env": seen}
out |= {"cwd": os.getcwd(), "here": os.listdir()}
Path(os.environ["SEEN"]).write_text(json.dumps(out))
with open(os.environ["GITHUB_OUTPUT"], "a") as file:
    file.write("batches=1\\nfindings=2\\nposted=3\\nusd=0.4\\nsaved-usd=0.5\\n")
"""


@pytest.fixture
def consumer(work: Any) -> Any:
    """A repository that has been set up by init, with code that would like to be imported."""
    set_up_repository(WorkTree(work.path), resolve=lambda url, ref: None, agree=lambda plan: True)
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


def released(path: Path) -> Path:
    """What the runner gets of this repository, without its virtual environment."""
    path.mkdir()
    shutil.copy(ROOT / "action.yml", path)
    for name in ("src", "requirements"):
        shutil.copytree(ROOT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return path


def with_packages_of_the_tests(action: Path) -> Path:
    """The same with nothing to install, which takes a minute on a slow machine."""
    (action / "requirements" / "base.txt").write_text("")
    packages = sysconfig.get_path("purelib")
    (action / "src" / "sitecustomize.py").write_text(
        f"import site\n\nsite.addsitedir({packages!r})\n"
    )
    return action


def outputs(log: list[dict[str, Any]]) -> dict[str, str]:
    return {line["name"]: line["arg"] for line in log if line.get("command") == "set-output"}


def opened(repository: str, number: int) -> dict[str, Any]:
    side = {"repo": {"full_name": repository}}
    pull = {"number": number, "user": {"login": "octocat"}, "head": side, "base": side}
    return {
        "action": "opened",
        "number": number,
        "pull_request": pull,
        "repository": {"full_name": repository},
    }


@pytest.fixture
def run_act(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Runs one workflow with an action of one's own; the runner's log as JSON."""

    def run(
        workflow: str,
        event: str,
        payload: Mapping[str, Any],
        *,
        consumer: Path,
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
        done = subprocess.run(command, cwd=consumer, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    return run


@pytest.fixture
def act(run_act: Callable[..., Any], consumer: Any) -> Callable[..., list[dict[str, Any]]]:
    return partial(run_act, consumer=consumer.path)


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


OWN_WORKFLOW = """\
on: push
jobs:
  one:
    runs-on: ubuntu-24.04
    ENVIRONMENT
    steps:
      - uses: actions/checkout@v7
      - uses: org/claude-batch@v1
        id: review
        INPUTS
      - run: |
          printf '%s' "$OUTPUTS" > "$SEEN.outputs"
          find . -name owned >> "$SEEN.outputs"
        env:
          OUTPUTS: >-
            ${{ steps.review.outputs.batches }} ${{ steps.review.outputs.findings }}
            ${{ steps.review.outputs.posted }} ${{ steps.review.outputs.usd }}
            ${{ steps.review.outputs.saved-usd }}
"""


@pytest.fixture
def run_own_workflow(consumer, act, action_with_stand_in, tmp_path) -> Callable[..., Any]:
    """Run OWN_WORKFLOW with these inputs and this environment of the job.

    Returns what the program saw; `wanted` are the variables to look at.
    """

    def run(wanted: list[str], inputs: Mapping[str, str], job: Mapping[str, str] = {}) -> Any:
        text = OWN_WORKFLOW.replace("ENVIRONMENT", f"env: {json.dumps(job)}")
        text = text.replace("INPUTS", f"with: {json.dumps(inputs)}")
        consumer.commit({".github/workflows/own.yml": text, "sub/readme": "x"})
        environ = {"SEEN": str(tmp_path / "seen.json"), "WANTED": json.dumps(wanted)}
        workflow = ".github/workflows/own.yml"
        act(workflow, "push", {}, action=action_with_stand_in, environ=environ)
        return json.loads((tmp_path / "seen.json").read_text())

    return run


def test_each_input_and_output_arrives_under_its_own_name(run_own_workflow, tmp_path):
    variables = {
        "ANTHROPIC_API_KEY": "key-of-the-input",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:1/$(touch owned)",
        "GITHUB_TOKEN": "token-of-the-input",
        "CLAUDE_BATCH_MODEL": "a-model",
        "CLAUDE_BATCH_BUDGET": "0.25",
        "CLAUDE_BATCH_FAIL_ON": '"; touch owned; "',
        "CLAUDE_BATCH_LABEL": "a-label",
    }
    names = ["anthropic-api-key", "anthropic-base-url", "github-token"]
    names += ["model", "budget", "fail-on", "label"]
    inputs = dict(zip(names, variables.values(), strict=True)) | {"working-directory": "sub"}

    seen = run_own_workflow(list(variables), inputs)

    assert seen["env"] == variables
    assert Path(seen["cwd"]).name == "sub"
    assert (tmp_path / "seen.json.outputs").read_text() == "1 2 3 0.4 0.5"


def test_the_key_of_the_jobs_environment_is_used(run_own_workflow):
    names = ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"]
    job = {"ANTHROPIC_API_KEY": "key-of-the-job", "ANTHROPIC_BASE_URL": "http://127.0.0.1:2"}
    assert run_own_workflow(names, {}, job)["env"] == job


def test_an_empty_key_or_address_is_not_set(run_own_workflow):
    names = ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"]
    inputs = {"anthropic-api-key": "", "anthropic-base-url": ""}
    assert run_own_workflow(names, inputs)["env"] == dict.fromkeys(names)


def wheel(folder: Path, requires: str = "") -> Path:
    """A package of one empty module."""
    path = folder / "sample_package-1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: sample-package\nVersion: 1.0\n" + requires
    files = {
        "sample_package.py": "",
        "sample_package-1.0.dist-info/METADATA": metadata,
        "sample_package-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        "sample_package-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize(
    ("pinned", "fault"),
    [
        ("--hash=sha256:{digest}", ""),
        ("--hash=sha256:" + "0" * 64, "THESE PACKAGES DO NOT MATCH THE HASHES"),
        ("", "Hashes are required in --require-hashes mode"),
    ],
)
def test_only_packages_with_the_right_hash_are_installed(
    act, action_with_stand_in, tmp_path, pinned, fault
):
    """The first one names a dependency that does not exist: no dependency is looked for."""
    package = wheel(tmp_path, "Requires-Dist: no-such-package-claude-batch\n")
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    line = f"sample-package @ {package.as_uri()} {pinned.format(digest=digest)}\n"
    (action_with_stand_in / "requirements" / "base.txt").write_text(line)
    environ = {"SEEN": str(tmp_path / "seen.json"), "WANTED": "[]"}

    log = act(
        COLLECT,
        "workflow_dispatch",
        {},
        action=action_with_stand_in,
        environ=environ,
        code=1 if fault else 0,
    )

    assert any(fault in entry.get("msg", "") for entry in log)
    assert (tmp_path / "seen.json").exists() is not bool(fault)


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
    assert any(line.get("msg") == "exit status 3" for line in log)


def test_a_pull_request_is_submitted_collected_and_commented_on(tmp_path, work, run_act):
    """Both workflows of init, the real action, git over HTTP without stored credentials."""
    work.commit({"shop.py": "def total(prices):\n    return sum(prices)\n"})
    set_up_repository(WorkTree(work.path), resolve=lambda url, ref: None, agree=lambda plan: True)
    work.commit()
    work.git("checkout", "-q", "-b", "topic")
    work.commit({"shop.py": SUSPICIOUS})
    work.git("clone", "-q", "--bare", ".", str(tmp_path / "origin.git"))

    with BatchesServer() as batches, GitHubServer(tmp_path / "origin.git", os.environ) as hub:
        work.git("remote", "add", "origin", hub.clone_url)
        urls = {"ANTHROPIC_BASE_URL": batches.url, "GITHUB_API_URL": hub.url}
        environ = urls | {"GITHUB_REPOSITORY": hub.repository}
        run = partial(run_act, consumer=work.path, environ=environ)
        number = hub.open_pull("Suspicious", "topic")

        event = opened(hub.repository, number)
        submitted = run(SUBMIT, "pull_request", event, action=released(tmp_path / "real"))
        before = hub.conversation(number)
        action = with_packages_of_the_tests(released(tmp_path / "quick"))
        collected = run(COLLECT, "schedule", {}, action=action)
        after = hub.conversation(number)

    assert outputs(submitted)["batches"] == "1"
    assert not [said for said in before if said.kind == "review comment"]
    paid = outputs(collected)
    # The second looks were taken at once: two comments at their lines, and the summary.
    assert (paid["findings"], paid["posted"]) == ("2", "3")
    assert 0 < float(paid["saved-usd"]) < float(paid["usd"])
    comments = [said for said in after if said.kind == "review comment"]
    assert [(said.path, said.line) for said in comments] == [("shop.py", 3), ("shop.py", 4)]
    assert sorted(said.kind for said in after) == ["check", "comment", *["review comment"] * 2]


def test_few_inputs_and_all_of_them_through_the_environment():
    assert len(ACTION["inputs"]) <= 10
    for step in ACTION["runs"]["steps"]:
        assert "uses" not in step
        assert "${{" not in step["run"]


def test_each_output_is_that_of_the_program_with_the_same_name():
    """act hands on the outputs of inner steps whatever the action says, so it cannot notice."""
    written = set(action_outputs(CiResult("schedule")))
    assert {name: output["value"] for name, output in ACTION["outputs"].items()} == {
        name: f"${{{{ steps.run.outputs.{name} }}}}" for name in written
    }
