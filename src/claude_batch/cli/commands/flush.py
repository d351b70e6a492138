"""`claude-batch flush`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from claude_batch.cli.commands.collect import build_flusher
from claude_batch.cli.connections import open_with_ledgers
from claude_batch.cli.options import HERE, Directory, FormatFlag, command_app, print_result
from claude_batch.cli.output.flush_result import (
    FlushReport,
    find_refusal,
    flush_report_document,
    flush_report_text,
)
from claude_batch.cli.plan_flags import DamageFlag, parse_priority
from claude_batch.cli.waiting_work import find_waiting
from claude_batch.config.model import Config
from claude_batch.git.repository import Repository
from claude_batch.ledger.git_store import GitLedger
from claude_batch.submission.flush import FlushOptions, FlushResult

app = command_app()


@app.command()
def flush(
    max_tasks: Annotated[
        int | None, typer.Option("--max", min=1, help="The most tasks to send.")
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only tasks of this kind.")] = None,
    min_priority: Annotated[
        str | None, typer.Option("--min-priority", help="Only of this priority or above.")
    ] = None,
    despite_damage: DamageFlag = False,
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Send waiting tasks."""
    repository, config, ledgers = open_with_ledgers(directory)
    lowest = None if min_priority is None else parse_priority(min_priority)
    options = FlushOptions(is_flush=True, max_tasks=max_tasks, kind=kind, min_priority=lowest)
    report = run(repository, config, ledgers, options, despite_damage=despite_damage)
    print_result(report, flush_report_document, flush_report_text, output_format)
    refusal = find_refusal(report.result)
    if refusal:
        raise refusal


def run(
    repository: Repository,
    config: Config,
    ledgers: Sequence[GitLedger],
    options: FlushOptions,
    *,
    despite_damage: bool = False,
) -> FlushReport:
    """Send what waits in each ledger, at most `options.max_tasks` together."""
    result = FlushResult()
    left = options.max_tasks
    for ledger in ledgers:
        flusher = build_flusher(repository, config, ledger, despite_damage=despite_damage)
        sent = flusher.flush(replace(options, max_tasks=left))
        left = None if left is None else left - sum(part.new for part in sent.parts)
        result = FlushResult(
            result.parts + sent.parts, result.sent + sent.sent, result.problems + sent.problems
        )
    return FlushReport(result, find_waiting(config, ledgers))
