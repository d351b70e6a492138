"""`claude-batch status`, `list` and `show`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from claude_batch.batches import status as batches
from claude_batch.cli import clock
from claude_batch.cli.connections import open_with_ledgers
from claude_batch.cli.options import HERE, Directory, FormatFlag, command_app, print_result
from claude_batch.cli.output.json_writer import item_list
from claude_batch.cli.output.status_result import (
    StatusReport,
    batches_text,
    details_document,
    details_text,
    status_document,
    status_text,
)
from claude_batch.cli.waiting_work import find_waiting, sort_hook_notes
from claude_batch.config.model import Config
from claude_batch.git.repository import Repository
from claude_batch.ledger.git_store import GitLedger

app = command_app()
list_app = command_app()
show_app = command_app()


@app.command()
def status(output_format: FormatFlag = "text", directory: Directory = HERE) -> None:
    """Show pending and failed tasks, and costs."""
    report = load_status(*open_with_ledgers(directory))
    print_result(report, status_document, status_text, output_format)


def load_status(
    repository: Repository, config: Config, ledgers: Sequence[GitLedger]
) -> StatusReport:
    notes = sort_hook_notes(repository)
    return StatusReport(
        batches.statuses(ledgers, clock.utc_now()),
        find_waiting(config, ledgers),
        len(notes.ready) + len(notes.waiting),
    )


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
