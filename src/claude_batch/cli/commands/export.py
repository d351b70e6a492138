"""`claude-batch export`."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from claude_batch.cli.context import CliContext
from claude_batch.cli.options import HERE, Directory, command
from claude_batch.exports import export as verb
from claude_batch.git.work_tree import WorkTree

app = command()


class ExportFormat(StrEnum):
    sarif = "sarif"
    rdjsonl = "rdjsonl"
    markdown = "markdown"
    json = "json"


@app.command()
def export(
    kind: Annotated[
        ExportFormat, typer.Option("--as", help="The document's form.")
    ] = ExportFormat.json,
    directory: Directory = HERE,
) -> None:
    """Write findings for other tools."""
    world = CliContext(directory)
    tree = WorkTree(world.repository.root or directory)
    text = verb.export_findings(world.ledgers(world.config()), tree, kind.value)
    sys.stdout.write(text.rstrip("\n") + "\n")
