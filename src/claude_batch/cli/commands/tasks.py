"""`claude-batch tasks`."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from claude_batch.cli import clock
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import (
    anthropic_client,
    open_ledger,
    open_repository,
    repository_name,
    run_id,
)
from claude_batch.cli.options import HERE, Directory, FormatFlag, command_app, print_result
from claude_batch.cli.output.json_writer import Json, item_list, select
from claude_batch.cli.output.submit_result import submit_document, submit_text
from claude_batch.cli.plan_flags import DamageFlag
from claude_batch.cli.source_options import BudgetFlag, ModelFlag, NowFlag, ShareFlag
from claude_batch.config.model import Config
from claude_batch.diff.model import Comparison
from claude_batch.errors import CannotRead, file_errors
from claude_batch.formatting import count
from claude_batch.prompts.kinds import BUILT_IN_VERSIONS
from claude_batch.submission import submit as submission
from claude_batch.submission.inputs import build_planner, kinds_including
from claude_batch.submission.scope import PlanOptions, ReviewScope
from claude_batch.tasks import task_file
from claude_batch.tasks.task import Kind, Task

app = command_app("Validate or submit tasks from a file.")
File = Annotated[str, typer.Argument(help="One JSON object a line; - reads stdin.")]


@app.callback()
def root() -> None:
    pass


@app.command()
def validate(file: File, output_format: FormatFlag = "text", directory: Directory = HERE) -> None:
    """Check a tasks file, send nothing."""
    tasks = _read(file, all_kinds(load_config(open_repository(directory))))
    print_result(tasks, _document, _text, output_format)


def _document(tasks: tuple[Task, ...]) -> Json:
    return item_list([select(task, "id", "kind", "path") for task in tasks])


def _text(tasks: tuple[Task, ...]) -> str:
    return f"{count(len(tasks), 'task')}, all valid"


@app.command()
def submit(
    file: File,
    model: ModelFlag = None,
    budget: BudgetFlag = None,
    at_once: NowFlag = False,
    share: ShareFlag = False,
    despite_damage: DamageFlag = False,
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Send the tasks of a file that are not yet known."""
    repository = open_repository(directory)
    flags = {"model": model, "budget": budget, "lane": "now" if at_once else None}
    config = load_config(repository, flags=flags)
    scope = ReviewScope(
        repo=repository_name(repository),
        run=run_id(repository),
        pr=None,
        comparison=Comparison(None, None, "", "", f"tasks of {file}"),
        tasks=_read(file, all_kinds(config)),
        skipped=(),
        options=PlanOptions(source="tasks", lane=config.plan_lane),
    )
    planner = build_planner(config, clock.utc_now(), all_kinds(config))
    ledger = open_ledger(repository, config, share=share)
    result = submission.submit(
        *(scope, planner, ledger, anthropic_client(repository), clock.utc_now),
        despite_damage=despite_damage,
    )
    print_result(result, submit_document, submit_text, output_format)


def all_kinds(config: Config) -> tuple[Kind, ...]:
    """The configured and the built-in kinds: a file names the kind of each task."""
    return kinds_including(config, BUILT_IN_VERSIONS)


def _read(file: str, known: tuple[Kind, ...]) -> tuple[Task, ...]:
    with (
        file_errors(CannotRead, f"{file} could not be read", "name a file, or - for stdin"),
        nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as lines,
    ):
        return task_file.parse_task_file(lines, known)
