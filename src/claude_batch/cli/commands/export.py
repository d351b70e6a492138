"""`claude-batch export`."""

from typing import Annotated

import typer

from claude_batch.cli.connections import open_with_ledgers
from claude_batch.cli.options import HERE, Directory, command_app, print_output
from claude_batch.exports.export import export_findings
from claude_batch.exports.formats import DocumentFormat
from claude_batch.git.work_tree import WorkTree

app = command_app()


@app.command()
def export(
    document_format: Annotated[
        DocumentFormat, typer.Option("--as", help="The format of the document.")
    ] = "json",
    directory: Directory = HERE,
) -> None:
    """Write findings for other tools."""
    repository, _, ledgers = open_with_ledgers(directory)
    print_output(export_findings(ledgers, WorkTree(repository.root or directory), document_format))
