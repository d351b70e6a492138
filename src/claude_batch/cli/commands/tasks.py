"""`claude-batch tasks`."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from claude_batch.cli.context import CliContext, kinds
from claude_batch.cli.options import HERE, As, Directory, Format, command, show
from claude_batch.cli.output import json_documents as report
from claude_batch.cli.output import text as words
from claude_batch.cli.source_options import BudgetFlag, ModelFlag, NowFlag, ShareFlag
from claude_batch.config.model import Config
from claude_batch.diff.model import Comparison
from claude_batch.errors import CannotRead, file_errors
from claude_batch.formatting import count
from claude_batch.prompts import kinds as prompts_kinds
from claude_batch.submission import submit as verb
from claude_batch.submission.scope import ReviewScope
from claude_batch.tasks import task_file as tasks_file
from claude_batch.tasks.task import Kind, Task

app = command("Validate or submit tasks from a file.")
File = Annotated[str, typer.Argument(help="One JSON object a line; - reads stdin.")]


@app.callback()
def root() -> None:
    pass


@app.command()
def validate(file: File, form: As = Format.text, directory: Directory = HERE) -> None:
    """Check a tasks file, send nothing."""
    found = _read(file, every_kind(CliContext(directory).config()))
    rows = [{"id": task.id, "kind": task.kind, "path": task.path} for task in found]
    show(report.items(rows), lambda: f"{count(len(found), 'task')}, all valid", form)


@app.command()
def submit(
    file: File,
    model: ModelFlag = None,
    budget: BudgetFlag = None,
    at_once: NowFlag = False,
    share: ShareFlag = False,
    form: As = Format.text,
    directory: Directory = HERE,
) -> None:
    """Send the tasks of a file that are not yet known."""
    world = CliContext(directory)
    flags = {"model": model, "budget": budget, "lane": "now" if at_once else None}
    config = world.config(flags=flags)
    found = _read(file, every_kind(config))
    subject = ReviewScope(
        repo=world.slug,
        run=world.run,
        pr=None,
        comparison=Comparison(None, None, "", "", f"tasks of {file}"),
        tasks=found,
        skipped=(),
    )
    claimant = world.claimant(config, every_kind(config))
    ledger = world.ledger_for(config, share=share)
    done = verb.submit(subject, claimant, ledger, world.claude, world.now)
    show(report.submission(done), lambda: words.submission(done), form)


def every_kind(config: Config) -> tuple[Kind, ...]:
    """All that ship and the user's own: a file names the kind of each task."""
    configured = kinds(config)
    names = {kind.name for kind in configured}
    rest = (prompts_kinds.kind_of(name) for name in prompts_kinds.SHIPPED if name not in names)
    return (*configured, *rest)


def _read(file: str, known: tuple[Kind, ...]) -> tuple[Task, ...]:
    with (
        file_errors(CannotRead, f"{file} could not be read", "name a file, or - for stdin"),
        nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as lines,
    ):
        return tasks_file.read(lines, known)
