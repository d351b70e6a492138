"""`claude-batch prune`."""

from datetime import timedelta
from typing import Annotated

import typer

from claude_batch.cli.shared import HERE, As, Directory, Format, command, show
from claude_batch.cli.world import World, now
from claude_batch.commands import prune as verb
from claude_batch.summary import count

app = command()


@app.command()
def prune(
    older_than: Annotated[
        int, typer.Option("--older-than", min=0, help="Days since the pull request closed.")
    ] = 30,
    form: As = Format.text,
    directory: Directory = HERE,
) -> None:
    """Drop what the ledger no longer needs."""
    world = World(directory)
    before = now() - timedelta(days=older_than)
    dropped = sum(verb.prune(ledger, before) for ledger in world.ledgers(world.config()))
    show({"dropped": dropped}, lambda: f"{count(dropped, 'file')} of findings dropped", form)
