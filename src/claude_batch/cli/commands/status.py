"""`claude-batch status`, `list` and `show`."""

from typing import Annotated

import typer

from claude_batch.batches import status as batches
from claude_batch.cli import clock
from claude_batch.cli.connections import open_with_ledgers
from claude_batch.cli.options import HERE, Directory, FormatFlag, command_app, print_result
from claude_batch.cli.output.json_writer import item_list
from claude_batch.cli.output.status_result import (
    batches_text,
    details_document,
    details_text,
    status_document,
    status_text,
)

app = command_app()
list_app = command_app()
show_app = command_app()


@app.command()
def status(output_format: FormatFlag = "text", directory: Directory = HERE) -> None:
    """Show pending and failed tasks, and costs."""
    _, _, ledgers = open_with_ledgers(directory)
    statuses = batches.statuses(ledgers, clock.utc_now())
    print_result(statuses, status_document, status_text, output_format)


@list_app.command("list")
def list_batches(output_format: FormatFlag = "text", directory: Directory = HERE) -> None:
    """List all batches."""
    _, _, ledgers = open_with_ledgers(directory)
    summaries = batches.list_batches(ledgers, clock.utc_now())
    print_result(summaries, item_list, batches_text, output_format)


@show_app.command("show")
def show_one(
    prefix: Annotated[str, typer.Argument(metavar="ID", help="An id, or its first 6 characters.")],
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Show one batch, task or finding."""
    _, _, ledgers = open_with_ledgers(directory)
    details = batches.show(ledgers, prefix, clock.utc_now())
    print_result(details, details_document, details_text, output_format)
