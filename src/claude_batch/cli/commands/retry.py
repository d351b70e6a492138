"""`claude-batch retry`."""

from typing import Annotated

import typer

from claude_batch.batches import retry as batches
from claude_batch.batches.forget import BatchForgetter
from claude_batch.cli import clock
from claude_batch.cli.connections import (
    anthropic_client,
    event_stamp,
    open_with_ledgers,
    run_id,
)
from claude_batch.cli.options import HERE, Directory, FormatFlag, command_app, print_result
from claude_batch.cli.output.json_writer import item_list
from claude_batch.errors import BadUsage
from claude_batch.formatting import count
from claude_batch.submission.inputs import load_prices

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
    forget: Annotated[
        bool, typer.Option("--forget", help="Give up batches that the API does not have.")
    ] = False,
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Retry failed tasks."""
    if forget and not ids:
        raise BadUsage("--forget needs the id of a batch", "see `claude-batch status` for the ids")
    repository, config, ledgers = open_with_ledgers(directory)
    if forget:
        client, run = anthropic_client(repository), run_id(repository)
        BatchForgetter(ledgers, client, load_prices(config), run, clock.utc_now).forget(ids or [])
    tasks = batches.retry(ledgers, ids or [], reanswer=reanswer, stamp=event_stamp(repository))
    text = f"{count(len(tasks), 'task')} to retry: the next run sends them, or `claude-batch flush`"
    print_result(tasks, item_list, lambda _: text, output_format)
