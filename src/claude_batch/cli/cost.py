"""`claude-batch cost`."""

import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from claude_batch import report
from claude_batch.cli import words
from claude_batch.cli.shared import HERE, Directory, command
from claude_batch.cli.world import World
from claude_batch.errors import BadUsage
from claude_batch.output import document
from claude_batch.spending import as_csv, spending

app = command()


class Grouping(StrEnum):
    day = "day"
    repository = "repository"
    pull_request = "pull_request"
    kind = "kind"
    model = "model"


class Table(StrEnum):
    text = "text"
    json = "json"
    csv = "csv"


@app.command()
def cost(
    by: Annotated[Grouping, typer.Option("--by", help="What to group by.")] = Grouping.day,
    since: Annotated[
        str | None, typer.Option("--since", help="First day, as 2026-11-01 (UTC).")
    ] = None,
    form: Annotated[Table, typer.Option("--format", help="How to print it.")] = Table.text,
    directory: Directory = HERE,
) -> None:
    """Show what was spent, in groups."""
    world = World(directory)
    views = [ledger.view() for ledger in world.ledgers(world.config())]
    found = spending(views, by.value, _day(since))
    match form:
        case Table.json:
            text = document(report.spending(found))
        case Table.csv:
            text = as_csv(found)
        case _:
            text = words.spending(found)
    sys.stdout.write(text.rstrip("\n") + "\n")


def _day(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadUsage(f"{text!r} is not a day", "write it as 2026-11-01") from error
