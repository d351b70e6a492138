"""`claude-batch init`."""

import sys
from typing import Annotated

import typer

from claude_batch.cli.connections import open_repository, open_work_tree
from claude_batch.cli.options import (
    HERE,
    Directory,
    FormatFlag,
    command_app,
    print_result,
    print_status,
)
from claude_batch.cli.output.json_writer import Json, select
from claude_batch.errors import BadUsage
from claude_batch.git.refs import resolve_remote
from claude_batch.setup.init import SetupPlan, set_up_repository
from claude_batch.setup.workflows import DEFAULT_ACTION

app = command_app()


@app.command()
def init(
    action: Annotated[
        str, typer.Option("--action", help="The action to use, as OWNER/REPO@REF.")
    ] = DEFAULT_ACTION,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Set up config, workflows and hook in a repository."""
    repository = open_repository(directory)
    plan = set_up_repository(
        open_work_tree(repository, "init"),
        resolve=lambda url, ref: resolve_remote(repository.git, url, ref),
        agree=lambda plan: _agree(plan, yes),
        action=action,
    )
    print_result(plan, _document, _text, output_format)


def _document(plan: SetupPlan) -> Json:
    files = [select(file, "name", "change") for file in plan.files]
    return {"files": files, "remedies": plan.remedies}


def _text(plan: SetupPlan) -> str:
    lines = [f"{file.change}: {file.name}  {file.note}".rstrip() for file in plan.files]
    return "\n".join([*lines, *plan.remedies])


def _agree(plan: SetupPlan, yes: bool) -> bool:
    for file in plan.writes:
        print_status(file.diff)
    if yes:
        return True
    if not sys.stdin.isatty():
        raise BadUsage(
            "nothing was written: stdin is not a terminal, so nobody can confirm",
            "run `init --yes`",
        )
    if not typer.confirm("Write these files?", err=True):
        raise typer.Abort
    return True
