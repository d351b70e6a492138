"""`claude-batch export`."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from claude_batch.cli.context import World
from claude_batch.cli.options import HERE, Directory, command
from claude_batch.exports import export as verb
from claude_batch.git.work_tree import WorkTree

app = command()


class Kind(StrEnum):
    sarif = "sarif"
    rdjsonl = "rdjsonl"
    markdown = "markdown"
    json = "json"


@app.command()
def export(
    kind: Annotated[Kind, typer.Option("--as", help="The document's form.")] = Kind.json,
    directory: Directory = HERE,
) -> None:
    """Write findings for other tools."""
    world = World(directory)
    tree = WorkTree(world.repository.root or directory)
    text = verb.export(world.ledgers(world.config()), tree, kind.value)
    sys.stdout.write(text.rstrip("\n") + "\n")
