"""`claude-batch prune`."""

from dataclasses import astuple
from datetime import timedelta
from typing import Annotated

import typer

from claude_batch import folding
from claude_batch.cli.shared import HERE, As, Directory, Format, command, show
from claude_batch.cli.world import World
from claude_batch.commands import prune as verb
from claude_batch.summary import count

app = command()


@app.command()
def prune(
    older_than: Annotated[
        int, typer.Option("--older-than", min=0, help="Days since the pull request closed.")
    ] = folding.YOUNGEST.days,
    form: As = Format.text,
    directory: Directory = HERE,
) -> None:
    """Drop what the ledger no longer needs."""
    world = World(directory)
    age = timedelta(days=older_than)
    done = [verb.prune(ledger, world.now(), age) for ledger in world.ledgers(world.config())]
    dropped, folded = (sum(counts) for counts in zip(*map(astuple, done), strict=True))
    said = f"{count(dropped, 'file')} of findings dropped, {count(folded, 'log file')} folded"
    show({"dropped": dropped, "folded": folded}, lambda: said, form)
