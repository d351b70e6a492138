"""The command line program: find the command, run it, turn errors into exit codes.

The module of a command is imported when it is called, because imports are slow.
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

# Name -> the first line of its help. A test compares it with the help of the command.
COMMANDS = {
    "demo": "Try it locally, without an API key.",
    "init": "Set up config, workflows and hook in a repository.",
    "queue": "Record the staged tree (pre-commit hook).",
    "submit": "Submit new changes for review.",
    "estimate": "Show what submit would send, and its price.",
    "flush": "Send waiting tasks.",
    "collect": "Fetch ended batches into the ledger.",
    "publish": "Post recorded findings on pull requests.",
    "ci": "Handle the current CI event.",
    "jobs": "Manage jobs: recorded plans and their progress.",
    "status": "Show pending and failed tasks, and costs.",
    "list": "List all batches.",
    "show": "Show one batch, task or finding.",
    "findings": "List findings with their outcomes.",
    "export": "Write findings for other tools.",
    "apply": "Apply suggestions to the work tree.",
    "cost": "Show costs, grouped by day or another key.",
    "cancel": "Cancel open batches.",
    "retry": "Retry failed tasks.",
    "prune": "Delete old data from the ledger.",
    "doctor": "Check set-up, rights and ledger.",
    "bench": "Replay pull requests with known findings.",
    "tasks": "Validate or submit tasks from a file.",
    "sandbox": "Serve local test servers for both APIs.",
    "mcp": "Serve the commands to an MCP client (stdio).",
}

# Commands whose module has another name: module and attribute.
ELSEWHERE = {
    "estimate": ("commands.submit", "estimate_app"),
    "list": ("commands.status", "list_app"),
    "show": ("commands.status", "show_app"),
    "mcp": ("mcp_server", "app"),  # `mcp` is the name of a third-party package
}
PLUGINS = "claude_batch.commands"
INTERRUPTED = 130

# A diff or a ledger is read into 100,000s of objects without cycles. With Python's defaults the
# garbage collector takes a quarter of that time.
GARBAGE = (50_000, 20, 20)


class LazyCommands(TyperGroup):
    """Finds commands by name: built-in ones in COMMANDS, others in the entry-point group."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *sorted(entry.name for entry in _plugins())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS:
            module, attribute = ELSEWHERE.get(cmd_name, (f"commands.{cmd_name}", "app"))
            loaded = getattr(import_module(f"claude_batch.cli.{module}"), attribute)
        else:
            entry = next((entry for entry in _plugins() if entry.name == cmd_name), None)
            if entry is None:
                return None
            loaded = entry.load()
        command = get_command(loaded)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        # For a closed pipe Typer returns exit code 1, which means findings here.
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes the rest of the buffer when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return code

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = [*COMMANDS.items(), *((entry.name, "From an add-on.") for entry in _plugins())]
        with formatter.section("Commands"):
            formatter.write_dl(commands)


def _plugins() -> Iterable[EntryPoint]:
    return entry_points(group=PLUGINS)


app = typer.Typer(
    cls=LazyCommands,
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
            "start with `claude-batch demo`, which needs no API key",
        )


def run() -> int:
    """The console script. Returns an exit code of the table in the README."""
    if sys.stdout is None:
        return _print_error("stdout is closed", "open it, or send it to /dev/null", 3)
    code = _run_command()
    return code or 3 if _has_failed_stdout() else code


def _run_command() -> int:
    gc.set_threshold(*GARBAGE)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = app(standalone_mode=False, prog_name="claude-batch")
    except TyperException as error:
        return _print_error(error.format_message(), "see `claude-batch --help`", error.exit_code)
    except ClaudeBatchError as error:
        return _print_error(error.problem, error.remedy, error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception:  # noqa: BLE001 - a bug: write a log and exit with 70
        if _has_failed_stdout():
            return 3
        from claude_batch.cli.crash_report import write_crash_report

        return _print_error(*write_crash_report(sys.argv), 70)
    if code == INTERRUPTED:  # Typer may also return it
        return _print_error(
            "interrupted", "run the command again; nothing that was recorded is lost", code
        )
    return code if isinstance(code, int) else 0


def _interrupt(number: int, frame: object) -> None:
    """Treat SIGTERM as Ctrl-C: a cancelled CI job gets it before it is killed."""
    raise KeyboardInterrupt


def _has_failed_stdout() -> bool:
    """True if stdout does not take what was written to it. The error is printed here."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python flushes the rest of the buffer when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        problem = f"stdout could not be written: {error.strerror or error}"
        _print_error(problem, "free some disk space; what was done is recorded", 3)
        return True
    return False


def _print_error(problem: str, remedy: str, code: int) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"error: {problem}\n help: {remedy}\n")
    return code
