"""What somebody meets first: the Makefile, the requirements, the package, the README."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (ROOT / "README.md").read_text()
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
PIN = re.compile(r"(?m)^([\w.-]+)==(\S+)")


def pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / "requirements" / name).read_text()))


def first_command_under(heading: str) -> str:
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return section.partition("```sh\n")[2].partition("```")[0].strip()


@pytest.mark.parametrize("name", ["base.txt", "dev.txt"])
def test_every_requirement_has_a_hash_and_none_says_where_it_came_from(name):
    text = (ROOT / "requirements" / name).read_text()
    blocks = re.split(r"(?m)^(?=[\w.-]+==)", text)[1:]
    assert len(blocks) == len(pins(name))
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert not re.search(r"(?m)^--", text)


def test_the_tests_run_with_what_the_action_installs():
    base, dev = pins("base.txt"), pins("dev.txt")
    assert {name: dev.get(name) for name in base} == base


def test_the_requirements_pin_what_the_project_depends_on():
    def names(lines: list[str]) -> set[str]:
        return {re.split(r"[<>=\[ ]", line)[0].lower() for line in lines}

    assert names(PROJECT["project"]["dependencies"]) <= set(pins("base.txt"))
    assert names(PROJECT["dependency-groups"]["dev"]) <= set(pins("dev.txt"))


def test_the_wheel_has_all_that_the_program_reads(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
        metadata = BytesParser().parsebytes(
            archive.read(next(name for name in inside if name.endswith("/METADATA")))
        )
    wanted = {
        path.relative_to(home).as_posix()
        for home, package in (
            (ROOT / "src", "claude_batch"),
            (ROOT / "github_app", "claude_batch_app"),
        )
        for path in (home / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert not wanted - inside
    assert {name.partition("/")[0] for name in inside if ".dist-info/" not in name} == {
        "claude_batch",
        "claude_batch_app",
    }
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_licence_is_the_whole_one():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_version_is_told_without_loading_the_program():
    program = (
        "import sys; sys.argv[1:] = ['--version']\n"
        "from claude_batch.__main__ import main\n"
        "main()\n"
        "assert not {'typer', 'pydantic', 'claude_batch.cli'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "claude-batch 0.1.0\n"


def test_make_says_which_python_it_needs(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "requirements"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run(
        ["make", "test", "PYTHON=/nowhere/python3"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 2
    assert "error: /nowhere/python3 is missing or older than Python 3.11" in done.stderr
    assert "make test PYTHON=python3.12" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_readme_begins_with_commands_that_work():
    assert first_command_under("Try it") == "make demo"
    assert first_command_under("Run the tests") == "make test"


def test_the_readme_has_every_input_and_output_of_the_action():
    rows = set(re.findall(r"(?m)^\| `([a-z-]+)` \|", README))
    assert set(ACTION["inputs"]) | set(ACTION["outputs"]) <= rows


def test_ci_is_a_program_that_a_shell_accepts():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
