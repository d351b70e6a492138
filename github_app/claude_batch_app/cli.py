"""`claude-batch app`, which claude-batch finds through an entry point."""

import sys
from typing import Annotated

import typer

from claude_batch_app.manifest import build_manifest

app = typer.Typer(
    help="Set up the GitHub App.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def _group() -> None:
    """Keep `manifest` a subcommand: Typer makes a single command the whole program."""


@app.command()
def manifest(
    url: Annotated[str, typer.Option(help="The public https URL of the server.")],
    name: Annotated[str, typer.Option(help="The App's name, unique on GitHub.")] = "claude-batch",
) -> None:
    """Print the manifest that creates the GitHub App."""
    sys.stdout.write(build_manifest(url, name).model_dump_json(indent=2) + "\n")
