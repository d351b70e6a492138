"""`claude-batch init`."""

import sys
from typing import Annotated

import typer

from claude_batch.cli.context import CliContext
from claude_batch.cli.options import HERE, As, Directory, Format, command, print_status, show
from claude_batch.errors import BadUsage
from claude_batch.git.refs import resolve_remote
from claude_batch.setup.init import SetupPlan
from claude_batch.setup.init import set_up_repository as verb
from claude_batch.setup.workflows import DEFAULT_ACTION

app = command()


@app.command()
def init(
    action: Annotated[
        str, typer.Option("--action", help="The action to use, as OWNER/REPO@REF.")
    ] = DEFAULT_ACTION,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    form: As = Format.text,
    directory: Directory = HERE,
) -> None:
    """Set up config, workflows and hook in a repository."""
    world = CliContext(directory)
    done = verb(
        world.work_tree("init"),
        resolve=lambda url, ref: resolve_remote(world.repository.git, url, ref),
        agree=lambda plan: _agree(plan, yes),
        action=action,
    )
    files = [{"name": file.name, "change": file.change} for file in done.files]
    lines = [f"{file.change}: {file.name}  {file.note}".rstrip() for file in done.files]
    show(
        {"files": files, "remedies": list(done.remedies)},
        lambda: "\n".join([*lines, *done.remedies]),
        form,
    )


def _agree(plan: SetupPlan, yes: bool) -> bool:
    for file in plan.writes:
        print_status(file.diff)
    if yes:
        return True
    if not sys.stdin.isatty():
        raise BadUsage("nothing was written: there is nobody to ask", "run `init --yes`")
    if not typer.confirm("Write these files?", err=True):
        raise typer.Abort
    return True
