"""`claude-batch retry`."""

from typing import Annotated

import typer

from claude_batch.batches import retry as verb
from claude_batch.cli.context import CliContext
from claude_batch.cli.options import HERE, As, Directory, Format, command, show
from claude_batch.cli.output import json_documents as report
from claude_batch.formatting import count
from claude_batch.ledger.events import Stamp

app = command()


@app.command()
def retry(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Tasks or batches; without, all that failed."),
    ] = None,
    reanswer: Annotated[
        bool, typer.Option("--reanswer", help="Also what was answered: it is paid again.")
    ] = False,
    form: As = Format.text,
    directory: Directory = HERE,
) -> None:
    """Let failed tasks be asked again."""
    world = CliContext(directory)
    ledgers = world.ledgers(world.config())
    freed = verb.retry(
        ledgers, ids or [], reanswer=reanswer, stamp=Stamp(world.run, world.slug, world.now)
    )
    show(
        report.items(freed),
        lambda: f"{count(len(freed), 'task')} may be asked again: the next submit sends them",
        form,
    )
