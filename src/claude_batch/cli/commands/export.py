"""`claude-batch export`."""

from enum import StrEnum
from typing import Annotated

import typer

from claude_batch.cli.connections import open_with_ledgers
from claude_batch.cli.options import HERE, Directory, command_app, print_output
from claude_batch.exports.export import export_findings
from claude_batch.git.work_tree import WorkTree

app = command_app()


class ExportFormat(StrEnum):
    sarif = "sarif"
    rdjsonl = "rdjsonl"
    markdown = "markdown"
    json = "json"


@app.command()
def export(
    kind: Annotated[
        ExportFormat, typer.Option("--as", help="The format of the document.")
    ] = ExportFormat.json,
    directory: Directory = HERE,
) -> None:
    """Write findings for other tools."""
    repository, _, ledgers = open_with_ledgers(directory)
    print_output(export_findings(ledgers, WorkTree(repository.root or directory), kind.value))
