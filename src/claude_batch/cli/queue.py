"""`claude-batch queue`, for help and completion; the hook itself never comes this way."""

import time
from typing import Annotated

import typer

from claude_batch.cli.shared import command
from claude_batch.commands import queue as verb
from claude_batch.edges.environment import environment

app = command()


@app.command()
def queue(
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail the commit when the tree cannot be noted.")
    ] = False,
) -> None:
    """Note the staged tree for the next submit (the hook)."""
    raise typer.Exit(verb.queue(["--strict"] if strict else [], environment(), time.time))
