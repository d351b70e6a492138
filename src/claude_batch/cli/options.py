"""What the commands have in common: their flags, and where their results go."""

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from claude_batch.cli.output.json_writer import document
from claude_batch.errors import CannotRecord, file_errors


class Format(StrEnum):
    text = "text"
    json = "json"


Directory = Annotated[
    Path, typer.Option("--directory", "-C", help="The repository to work in.", show_default=False)
]

As = Annotated[Format, typer.Option("--format", help="How to print the result.")]
HERE = Path(".")


def command(text: str | None = None) -> typer.Typer:
    """An app of one command, or a group with a help text of its own: plain text, and nothing
    about completion, which is the whole program's."""
    return typer.Typer(help=text, add_completion=False, rich_markup_mode=None)


def show(value: object, text: Callable[[], str], form: Format) -> None:
    """JSON: exactly one document on stdout. Text: for people."""
    sys.stdout.write((document(value) if form is Format.json else text()).rstrip("\n") + "\n")


def print_status(sentence: str) -> None:
    """For a person, always on stderr."""
    sys.stderr.write(sentence + "\n")


def write_page(page: str, path: Path) -> None:
    """An HTML page, where --out says."""
    problem = f"the page {path} cannot be written"
    with file_errors(CannotRecord, problem, "name another place with --out"):
        path.write_text(page, encoding="utf-8")
