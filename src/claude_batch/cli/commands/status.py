"""`claude-batch status`, `list` and `show`."""

from typing import Annotated

import typer

from claude_batch.batches import status as verb
from claude_batch.cli.context import CliContext
from claude_batch.cli.options import HERE, As, Directory, Format, command, show
from claude_batch.cli.output import json_documents as report
from claude_batch.cli.output import text as words

app = command()
list_app = command()
show_app = command()


@app.command()
def status(form: As = Format.text, directory: Directory = HERE) -> None:
    """Show what is pending, failed and spent."""
    world = CliContext(directory)
    done = [verb.status(ledger, world.now()) for ledger in world.ledgers(world.config())]
    show(report.status(done), lambda: words.status(done), form)


@list_app.command("list")
def list_batches(form: As = Format.text, directory: Directory = HERE) -> None:
    """List the batches that the ledger remembers."""
    world = CliContext(directory)
    ledgers = world.ledgers(world.config())
    rows = [row for ledger in ledgers for row in verb.list_batches(ledger, world.now())]
    show(
        report.items([report.batch(row) for row in rows]),
        lambda: "\n".join(map(words.batch, rows)) or "no batch was ever sent",
        form,
    )


@show_app.command("show")
def show_one(
    prefix: Annotated[str, typer.Argument(metavar="ID", help="Six characters of it or more.")],
    form: As = Format.text,
    directory: Directory = HERE,
) -> None:
    """Show one batch, task or finding."""
    world = CliContext(directory)
    found = verb.show(world.ledgers(world.config()), prefix, world.now())
    show(report.shown(found), lambda: words.shown(found), form)
