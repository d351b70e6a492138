"""`claude-batch cancel`."""

from typing import Annotated

import typer

from claude_batch.batches import cancel as batches
from claude_batch.batches.cancel import CanceledBatches
from claude_batch.batches.forget import BatchForgetter
from claude_batch.cli import clock
from claude_batch.cli.connections import anthropic_client, open_with_ledgers, run_id
from claude_batch.cli.options import HERE, Directory, FormatFlag, command_app, print_result
from claude_batch.cli.output.json_writer import Json, item_list
from claude_batch.errors import BadUsage
from claude_batch.submission.inputs import load_prices

app = command_app()


@app.command()
def cancel(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="The batches to cancel.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every open batch.")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Give up batches that the API does not have.")
    ] = False,
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Cancel open batches."""
    if not ids and not everything:
        raise BadUsage("no batch was named", "give the id of a batch, or --all")
    if forget and not ids:
        raise BadUsage("--forget needs the id of a batch", "see `claude-batch status` for the ids")
    repository, config, ledgers = open_with_ledgers(directory)
    client, run = anthropic_client(repository), run_id(repository)
    if forget:
        forgetter = BatchForgetter(ledgers, client, load_prices(config), run, clock.utc_now)
        canceled = forgetter.forget(ids or [])
    else:
        canceled = batches.cancel(ledgers, client, ids or [], run, clock.utc_now)
    print_result(canceled, _document, _text, output_format)


def _document(canceled: CanceledBatches) -> Json:
    return item_list([{"id": batch, "status": status} for batch, status in canceled])


def _text(canceled: CanceledBatches) -> str:
    return "\n".join(f"{batch}: {status}" for batch, status in canceled) or "nothing is open"
