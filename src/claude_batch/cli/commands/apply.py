"""`claude-batch apply`."""

import sys
from typing import Annotated

import typer

from claude_batch.cli.context import CliContext
from claude_batch.cli.options import HERE, As, Directory, Format, command, print_status, show
from claude_batch.cli.output import text as words
from claude_batch.exports import apply as verb
from claude_batch.formatting import count

app = command()


@app.command()
def apply(
    prefix: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One finding; without, all that fit.")
    ] = None,
    patch: Annotated[
        bool, typer.Option("--patch", help="Print a patch instead of writing.")
    ] = False,
    form: As = Format.text,
    directory: Directory = HERE,
) -> None:
    """Apply suggestions to the work tree."""
    world = CliContext(directory)
    tree = world.work_tree("apply")
    done = verb.apply_suggestions(world.ledgers(world.config()), tree, prefix, write=not patch)
    for finding, why in done.rejected:
        print_status(f"not applied: {words.finding(finding, finding.path)}: {why}")
    if patch and form is Format.text:
        sys.stdout.buffer.write(done.patch)
        return
    show(
        {
            "applied": [{"id": one.id, "path": one.path} for one in done.findings],
            "refused": [{"id": one.id, "path": one.path, "reason": w} for one, w in done.rejected],
            "patch": done.patch.decode("utf-8", "replace"),
        },
        lambda: "\n".join(
            [
                *(words.finding(one, one.path) for one in done.findings),
                f"{count(len(done.findings), 'suggestion')} applied",
            ]
        ),
        form,
    )
