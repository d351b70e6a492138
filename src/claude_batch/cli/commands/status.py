"""`claude-batch status`, `list` and `show`."""

from typing import Annotated

import typer

from claude_batch.batches import status as batches
from claude_batch.cli import clock
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import open_ledgers, open_repository
from claude_batch.cli.options import HERE, Directory, Format, FormatFlag, command_app, print_result
from claude_batch.cli.output import json_documents, text

app = command_app()
list_app = command_app()
show_app = command_app()


@app.command()
def status(output_format: FormatFlag = Format.text, directory: Directory = HERE) -> None:
    """Show pending and failed tasks, and costs."""
    repository = open_repository(directory)
    statuses = [
        batches.status(ledger, clock.utc_now())
        for ledger in open_ledgers(repository, load_config(repository))
    ]
    print_result(json_documents.status(statuses), lambda: text.status(statuses), output_format)


@list_app.command("list")
def list_batches(output_format: FormatFlag = Format.text, directory: Directory = HERE) -> None:
    """List all batches."""
    repository = open_repository(directory)
    ledgers = open_ledgers(repository, load_config(repository))
    rows = [row for ledger in ledgers for row in batches.list_batches(ledger, clock.utc_now())]
    print_result(
        json_documents.items(rows),
        lambda: "\n".join(map(text.batch, rows)) or "no batches",
        output_format,
    )


@show_app.command("show")
def show_one(
    prefix: Annotated[str, typer.Argument(metavar="ID", help="An id, or its first 6 characters.")],
    output_format: FormatFlag = Format.text,
    directory: Directory = HERE,
) -> None:
    """Show one batch, task or finding."""
    repository = open_repository(directory)
    record = batches.show(
        open_ledgers(repository, load_config(repository)), prefix, clock.utc_now()
    )
    print_result(json_documents.shown(record), lambda: text.shown(record), output_format)
