"""`claude-batch cancel`."""

from typing import Annotated

import typer

from claude_batch.batches import cancel as verb
from claude_batch.cli.context import CliContext
from claude_batch.cli.options import HERE, As, Directory, Format, command, show
from claude_batch.cli.output import json_documents as report
from claude_batch.errors import BadUsage

app = command()


@app.command()
def cancel(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Batches; without, see --all.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every open batch.")] = False,
    form: As = Format.text,
    directory: Directory = HERE,
) -> None:
    """Cancel open batches."""
    if not ids and not everything:
        raise BadUsage("no batch was named", "give the id of a batch, or --all")
    world = CliContext(directory)
    open_ledgers = world.ledgers(world.config())
    done = verb.cancel(open_ledgers, world.claude, ids or [], world.run, world.now)
    show(
        report.items([{"id": batch, "status": status} for batch, status in done]),
        lambda: "\n".join(f"{batch}: {status}" for batch, status in done) or "nothing is open",
        form,
    )
