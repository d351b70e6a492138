"""`claude-batch queue`, for help and completion. The hook itself starts in `__main__`."""

import time
from typing import Annotated

import typer

from claude_batch.cli.options import command_app
from claude_batch.environment import environment
from claude_batch.git import hook

app = command_app()


@app.command()
def queue(
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail the commit if recording fails.")
    ] = False,
) -> None:
    """Record the staged tree (pre-commit hook)."""
    raise typer.Exit(hook.queue(["--strict"] if strict else [], environment(), time.time))
