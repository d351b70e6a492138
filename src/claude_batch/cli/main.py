"""Flags, file and environment in; one verb called; sentences and an exit code out.

A command's module is imported when it is called: `--help` and each command pay for no other.
"""

import gc
import os
import signal
import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from claude_batch.errors import BadUsage, ClaudeBatchError

# name -> the first line of its help; a test compares it with the command's own.
COMMANDS = {
    "demo": "The whole trip on this machine, no key needed.",
    "init": "Set up config, workflows and hook in a repository.",
    "queue": "Note the staged tree for the next submit (the hook).",
    "submit": "Send what changed and is not yet known.",
    "estimate": "Say what submit would send, and its price.",
    "collect": "Fetch ended batches into the ledger.",
    "publish": "Post recorded findings on pull requests.",
    "ci": "Do what the CI event asks for.",
    "status": "Show what is pending, failed and spent.",
    "list": "List the batches that the ledger remembers.",
    "show": "Show one batch, task or finding.",
    "findings": "List findings with their outcomes.",
    "export": "Write findings for other tools.",
    "apply": "Apply suggestions to the work tree.",
    "cost": "Show what was spent, in groups.",
    "cancel": "Cancel open batches.",
    "retry": "Let failed tasks be asked again.",
    "prune": "Drop what the ledger no longer needs.",
    "doctor": "Check set-up, rights and ledger.",
    "bench": "Replay pull requests with known findings.",
    "tasks": "Validate or submit tasks from a file.",
    "sandbox": "Serve look-alikes of the two APIs.",
    "mcp": "Serve the commands to an MCP client (stdio).",
}

# The commands that do not have a module of their own name: module and attribute.
ELSEWHERE = {
    "estimate": ("commands.submit", "estimate_app"),
    "list": ("commands.status", "list_app"),
    "show": ("commands.status", "show_app"),
    "mcp": ("mcp_server", "app"),  # a module must not have the name of a package that we import
}
PLUGINS = "claude_batch.commands"
INTERRUPTED = 130

# A diff or a ledger becomes values by the hundred thousand, none of them in a cycle. Python's
# search for cycles, at its defaults, takes a quarter of the time that they take to make.
GARBAGE = (50_000, 20, 20)


class Lazy(TyperGroup):
    """Commands by name: ours from the table, others from the entry-point group."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *sorted(entry.name for entry in _plugins())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS:
            module, attribute = ELSEWHERE.get(cmd_name, (f"commands.{cmd_name}", "app"))
            loaded = getattr(import_module(f"claude_batch.cli.{module}"), attribute)
        else:
            found = [entry for entry in _plugins() if entry.name == cmd_name]
            if not found:
                return None
            loaded = found[0].load()
        command = get_command(loaded)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        """Typer would make exit code 1 of a closed pipe, and that means findings here."""
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # What is still buffered has to go somewhere when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return code

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        rows = [*COMMANDS.items(), *((entry.name, "From an add-on.") for entry in _plugins())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _plugins() -> Iterable[EntryPoint]:
    return entry_points(group=PLUGINS)


app = typer.Typer(
    cls=Lazy,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Code review through the Message Batches API, remembered on a git branch.",
)


@app.callback(invoke_without_command=True)
def root(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        sys.stderr.write(context.get_help() + "\n")
        raise BadUsage(
            "no command was named",
            "start with `claude-batch demo`, which needs no key and touches nothing of yours",
        )


def run() -> int:
    """The console script. Every outcome is an exit code of the table in the README."""
    gc.set_threshold(*GARBAGE)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = app(standalone_mode=False, prog_name="claude-batch")
    except TyperException as error:
        return _say(error.format_message(), "see `claude-batch --help`", error.exit_code)
    except ClaudeBatchError as error:
        return _say(error.problem, error.remedy, error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception:  # noqa: BLE001 - the one place: a bug of ours becomes a log and exit 70
        from claude_batch.cli.crash_report import report

        return _say(*report(sys.argv), 70)
    if code == INTERRUPTED:  # Typer's code for it, too
        return _say("interrupted", "run the command again; nothing that was recorded is lost", code)
    return code if isinstance(code, int) else 0


def _interrupt(number: int, frame: object) -> None:
    """A cancelled job is told to end, and then killed: what is under way is given up in order."""
    raise KeyboardInterrupt


def _say(problem: str, remedy: str, code: int) -> int:
    sys.stderr.write(f"error: {problem}\n help: {remedy}\n")
    return code
