"""`claude-batch retry`."""

from typing import Annotated

import typer

from claude_batch.batches import retry as batches
from claude_batch.cli.connections import event_stamp, open_with_ledgers
from claude_batch.cli.options import HERE, Directory, FormatFlag, command_app, print_result
from claude_batch.cli.output.json_writer import item_list
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
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Retry failed tasks."""
    repository, _, ledgers = open_with_ledgers(directory)
    tasks = batches.retry(ledgers, ids or [], reanswer=reanswer, stamp=event_stamp(repository))
    text = f"{count(len(tasks), 'task')} to retry: the next submit sends them"
    print_result(tasks, item_list, lambda _: text, output_format)
