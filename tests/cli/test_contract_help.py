"""Every command of the table is there, and says the same of itself wherever it is asked."""

import os
import re
import subprocess
from importlib import import_module

import pytest
from typer.main import get_command

from claude_batch.cli.main import COMMANDS
from claude_batch.git.hook import HELP
from program import PROGRAM, Ran, at_once, first_line

FLAGS = {
    "init": set(),
    "queue": set(),
    "submit": {"--range", "--pr", "--staged", "--queued", "--paths", "--kind", "--format"},
    "estimate": {"--range", "--pr", "--staged", "--queued", "--paths", "--kind", "--format"},
    "collect": {"--wait", "--format"},
    "publish": {"--pr", "--dry-run", "--fail-on", "--format"},
    "ci": {"--format"},
    "status": {"--format"},
    "list": {"--format"},
    "show": {"--format"},
    "cancel": {"--format"},
    "retry": {"--format"},
    "prune": {"--format", "--squash"},
    "doctor": {"--repair", "--format"},
    "cost": {"--format"},
    "apply": {"--format"},
    "findings": {"--format"},
    "export": {"--as"},
    "tasks": set(),
    "demo": {"--format"},
    "sandbox": {"--format"},
}


def run(*args: str) -> Ran:
    done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, env=os.environ)
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def helps() -> dict[str, Ran]:
    return at_once({name: lambda name=name: run(name, "--help") for name in COMMANDS})


@pytest.mark.parametrize("name", FLAGS)
def test_a_command_of_the_contract_has_its_flags(name, helps):
    assert FLAGS[name] <= set(re.findall(r"--[a-z-]+", helps[name].out))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_begins_as_the_table_says(name, helps):
    told = helps[name]
    assert (told.code, told.err) == (0, "")
    assert first_line(told.out) == COMMANDS[name]
    assert len(COMMANDS[name]) <= 60
    assert told.out.startswith(f"Usage: claude-batch {name} ")
    assert "completion" not in told.out


def test_the_programs_help_is_the_table():
    told = run("--help")
    assert (told.code, told.err) == (0, "")
    rows = re.findall(r"(?m)^  ([a-z]+)  +(\S.*)$", told.out.partition("Commands:\n")[2])
    assert {name: row for name, row in rows if name in COMMANDS} == COMMANDS


def test_without_a_command_the_help_comes_with_the_error():
    told = run()
    assert (told.code, told.out) == (2, "")
    assert "  submit " in told.err
    assert told.refusal() == (
        "no command was named",
        "start with `claude-batch demo`, which needs no API key",
    )


def test_a_group_without_a_command():
    told = run("tasks")
    assert told.code == 2
    assert told.refusal()[0] == "Missing command."


def test_the_hooks_two_front_doors_have_the_same_options():
    typer_options = {
        option
        for param in get_command(import_module("claude_batch.cli.commands.queue").app).params
        for option in param.opts
    }
    assert set(re.findall(r"(?m)^  (--\w+)", HELP)) == typer_options | {"--help"}
    assert first_line(HELP) == COMMANDS["queue"]
