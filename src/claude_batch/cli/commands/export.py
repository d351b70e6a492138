"""`claude-batch export`."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import open_ledgers, open_repository
from claude_batch.cli.options import HERE, Directory, command_app
from claude_batch.exports import export as findings
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
    repository = open_repository(directory)
    work_tree = WorkTree(repository.root or directory)
    text = findings.export_findings(
        open_ledgers(repository, load_config(repository)), work_tree, kind.value
    )
    sys.stdout.write(text.rstrip("\n") + "\n")
