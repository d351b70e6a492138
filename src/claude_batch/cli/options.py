"""The flags and the output that all commands share."""

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer

from claude_batch.cli.output.json_writer import write_json
from claude_batch.errors import CannotRecord, file_errors
from claude_batch.formatting import dollars

Result = TypeVar("Result")
Format = Literal["text", "json"]


Directory = Annotated[
    Path, typer.Option("--directory", "-C", help="The repository to work in.", show_default=False)
]

FormatFlag = Annotated[Format, typer.Option("--format", help="How to print the result.")]
HERE = Path(".")
MAX_USD_WITHOUT_QUESTION = Decimal(1)  # on a terminal


def command_app(help_text: str | None = None) -> typer.Typer:
    """An app of one command, or a group with a help text."""
    return typer.Typer(help=help_text, add_completion=False, rich_markup_mode=None)


def print_result(
    result: Result,
    document: Callable[[Result], object],
    text: Callable[[Result], str],
    output_format: Format,
) -> None:
    """Print a result on stdout: its JSON document, or its text."""
    is_json = output_format == "json"
    print_output(write_json(document(result)) if is_json else text(result))


def print_output(output: str) -> None:
    sys.stdout.write(output.rstrip("\n") + "\n")


def print_status(sentence: str) -> None:
    """Print a line for people, always on stderr."""
    sys.stderr.write(sentence + "\n")


def is_terminal() -> bool:
    """True if a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm_price(usd: Decimal) -> bool:
    """True if the price is small, or the person agrees to it."""
    question = f"This costs about {dollars(usd)}. Send it?"
    return usd <= MAX_USD_WITHOUT_QUESTION or typer.confirm(question, err=True)


def write_page(page: str, path: Path) -> None:
    """Write an HTML page to the path of --out."""
    problem = f"the page {path} cannot be written"
    with file_errors(CannotRecord, problem, "name another place with --out"):
        path.write_text(page, encoding="utf-8")
