"""`claude-batch queue`, for help and completion; the hook itself never comes this way."""

import time
from typing import Annotated

import typer

from claude_batch.cli.options import command
from claude_batch.environment import environment
from claude_batch.git import hook as verb

app = command()


@app.command()
def queue(
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail the commit when the tree cannot be noted.")
    ] = False,
) -> None:
    """Note the staged tree for the next submit (the hook)."""
    raise typer.Exit(verb.queue(["--strict"] if strict else [], environment(), time.time))
