"""`claude-batch init`."""

import sys
from typing import Annotated

import typer

from claude_batch.cli.shared import HERE, As, Directory, Format, show, tell
from claude_batch.cli.world import World
from claude_batch.commands.init import init as verb
from claude_batch.edges.git_process import Git
from claude_batch.edges.work_tree import WorkTree
from claude_batch.errors import BadUsage
from claude_batch.installation import Plan
from claude_batch.workflow import DEFAULT_ACTION

app = typer.Typer()


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
    world = World(directory)
    root = world.repository.root
    if root is None:
        raise BadUsage("this is a bare repository", "run init in a clone with a work tree")
    done = verb(
        WorkTree(root),
        resolve=lambda url, ref: resolve(world.repository.git, url, ref),
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


def resolve(git: Git, url: str, ref: str) -> str | None:
    """The commit of a tag (peeled) or branch; None without network or without such a ref."""
    names = (f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}")
    listed = git.run("ls-remote", url, *names, check=False).out.decode()
    rows = {name: oid for oid, name in (line.split("\t") for line in listed.splitlines())}
    return next((rows[name] for name in names if name in rows), None)


def _agree(plan: Plan, yes: bool) -> bool:
    for file in plan.writes:
        tell(file.diff)
    if yes:
        return True
    if not sys.stdin.isatty():
        raise BadUsage("nothing was written: there is nobody to ask", "run `init --yes`")
    return typer.confirm("Write these files?", err=True)
