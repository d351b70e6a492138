"""`claude-batch app …`, found by claude-batch through its entry-point group."""

import sys
from typing import Annotated

import typer

from claude_batch_app.manifest import manifest as manifest_of

app = typer.Typer(
    help="Sets up the GitHub App.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def _group() -> None:
    """Without this, typer makes the one command the whole program."""


@app.command()
def manifest(
    url: Annotated[str, typer.Option(help="Where GitHub reaches the server, https.")],
    name: Annotated[str, typer.Option(help="The App's name, unique on GitHub.")] = "claude-batch",
) -> None:
    """Prints the manifest that creates the GitHub App."""
    sys.stdout.write(manifest_of(url, name).model_dump_json(indent=2) + "\n")
