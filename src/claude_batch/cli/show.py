"""`claude-batch show`."""

from typing import Annotated

import typer

from claude_batch import report
from claude_batch.cli import words
from claude_batch.cli.shared import HERE, As, Directory, Format, command, show
from claude_batch.cli.world import World
from claude_batch.commands import status as verb

app = command()


@app.command("show")
def show_(
    prefix: Annotated[str, typer.Argument(metavar="ID", help="Six characters of it or more.")],
    form: As = Format.text,
    directory: Directory = HERE,
) -> None:
    """Show one batch, task or finding."""
    world = World(directory)
    found = verb.show(world.ledgers(world.config()), prefix, world.now())
    show(report.shown(found), lambda: words.shown(found), form)
