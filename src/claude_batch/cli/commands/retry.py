"""`claude-batch retry`."""

from typing import Annotated

import typer

from claude_batch.batches import retry as batches
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import event_stamp, open_ledgers, open_repository
from claude_batch.cli.options import HERE, Directory, Format, FormatFlag, command_app, print_result
from claude_batch.cli.output import json_documents
from claude_batch.formatting import count

app = command_app()


@app.command()
def retry(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Tasks or batches, by default all failed tasks."),
    ] = None,
    reanswer: Annotated[
        bool, typer.Option("--reanswer", help="Also answered tasks, which costs again.")
    ] = False,
    output_format: FormatFlag = Format.text,
    directory: Directory = HERE,
) -> None:
    """Retry failed tasks."""
    repository = open_repository(directory)
    ledgers = open_ledgers(repository, load_config(repository))
    freed = batches.retry(ledgers, ids or [], reanswer=reanswer, stamp=event_stamp(repository))
    print_result(
        json_documents.items(freed),
        lambda: f"{count(len(freed), 'task')} to retry: the next submit sends them",
        output_format,
    )
