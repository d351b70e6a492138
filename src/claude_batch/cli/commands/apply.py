"""`claude-batch apply`."""

import sys
from typing import Annotated

import typer

from claude_batch.cli.connections import open_with_ledgers, open_work_tree
from claude_batch.cli.options import (
    HERE,
    Directory,
    FormatFlag,
    command_app,
    print_result,
    print_status,
)
from claude_batch.cli.output.json_writer import Json, select
from claude_batch.cli.output.text import finding_line
from claude_batch.exports.apply import ApplyResult, apply_suggestions
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
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Apply suggestions to the work tree."""
    repository, _, ledgers = open_with_ledgers(directory)
    work_tree = open_work_tree(repository, "apply")
    result = apply_suggestions(ledgers, work_tree, prefix, write=not patch)
    for finding, reason in result.rejected:
        print_status(f"not applied: {finding_line(finding)}: {reason}")
    if patch and output_format == "text":
        sys.stdout.buffer.write(result.patch)
    else:
        print_result(result, _document, _text, output_format)


def _document(result: ApplyResult) -> Json:
    return {
        "applied": [select(finding, "id", "path") for finding in result.findings],
        "refused": [
            {**select(finding, "id", "path"), "reason": reason}
            for finding, reason in result.rejected
        ],
        "patch": result.patch.decode("utf-8", "replace"),
    }


def _text(result: ApplyResult) -> str:
    applied = count(len(result.findings), "suggestion")
    return "\n".join([*map(finding_line, result.findings), f"{applied} applied"])
