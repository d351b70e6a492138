"""`claude-batch apply`."""

import sys
from typing import Annotated

import typer

from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import open_ledgers, open_repository, open_work_tree
from claude_batch.cli.options import (
    HERE,
    Directory,
    Format,
    FormatFlag,
    command_app,
    print_result,
    print_status,
)
from claude_batch.cli.output import text
from claude_batch.exports import apply as suggestions
from claude_batch.formatting import count

app = command_app()


@app.command()
def apply(
    prefix: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One finding, by default all.")
    ] = None,
    patch: Annotated[
        bool, typer.Option("--patch", help="Print a patch instead of writing.")
    ] = False,
    output_format: FormatFlag = Format.text,
    directory: Directory = HERE,
) -> None:
    """Apply suggestions to the work tree."""
    repository = open_repository(directory)
    work_tree = open_work_tree(repository, "apply")
    result = suggestions.apply_suggestions(
        open_ledgers(repository, load_config(repository)), work_tree, prefix, write=not patch
    )
    for finding, reason in result.rejected:
        print_status(f"not applied: {text.finding(finding, finding.path)}: {reason}")
    if patch and output_format is Format.text:
        sys.stdout.buffer.write(result.patch)
        return
    print_result(
        {
            "applied": [{"id": one.id, "path": one.path} for one in result.findings],
            "refused": [
                {"id": one.id, "path": one.path, "reason": w} for one, w in result.rejected
            ],
            "patch": result.patch.decode("utf-8", "replace"),
        },
        lambda: "\n".join(
            [
                *(text.finding(applied, applied.path) for applied in result.findings),
                f"{count(len(result.findings), 'suggestion')} applied",
            ]
        ),
        output_format,
    )
