"""`claude-batch cancel`."""

from typing import Annotated

import typer

from claude_batch.batches import cancel as batches
from claude_batch.cli import clock
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import anthropic_client, open_ledgers, open_repository, run_id
from claude_batch.cli.options import HERE, Directory, Format, FormatFlag, command_app, print_result
from claude_batch.cli.output import json_documents
from claude_batch.errors import BadUsage

app = command_app()


@app.command()
def cancel(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="The batches to cancel.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every open batch.")] = False,
    output_format: FormatFlag = Format.text,
    directory: Directory = HERE,
) -> None:
    """Cancel open batches."""
    if not ids and not everything:
        raise BadUsage("no batch was named", "give the id of a batch, or --all")
    repository = open_repository(directory)
    ledgers = open_ledgers(repository, load_config(repository))
    canceled = batches.cancel(
        ledgers, anthropic_client(repository), ids or [], run_id(repository), clock.utc_now
    )
    print_result(
        json_documents.items([{"id": batch, "status": status} for batch, status in canceled]),
        lambda: "\n".join(f"{batch}: {status}" for batch, status in canceled) or "nothing is open",
        output_format,
    )
