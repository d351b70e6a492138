"""`claude-batch jobs`."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.cli import clock
from claude_batch.cli.commands.collect import run as collect
from claude_batch.cli.connections import anthropic_client, event_stamp, open_with_ledgers
from claude_batch.cli.options import (
    HERE,
    Directory,
    Format,
    FormatFlag,
    command_app,
    print_result,
    print_status,
)
from claude_batch.cli.output.jobs_result import (
    change_document,
    change_text,
    events_document,
    events_text,
    job_document,
    job_text,
    jobs_document,
    jobs_text,
    results_document,
    results_text,
    stats_text,
)
from claude_batch.cli.plan_flags import parse_priority
from claude_batch.costs.entries import list_cost_entries
from claude_batch.errors import BadUsage
from claude_batch.jobs.derivation import derive_jobs, find_job
from claude_batch.jobs.feed import job_events
from claude_batch.jobs.job import JobStatus
from claude_batch.jobs.listing import JobFilter, JobOrder, list_jobs
from claude_batch.jobs.results import load_results
from claude_batch.jobs.stats import compute_stats
from claude_batch.jobs.transitions import JobManager, delete_ended_batches, locate_job
from claude_batch.jobs.wait import wait_exit_code
from claude_batch.waiting.holds import ALL, kind_target
from claude_batch.waiting.settings import WaitingSettings

app = command_app("Manage jobs: recorded plans and their progress.")
JobId = Annotated[str, typer.Argument(metavar="ID", help="An id, or its first 6 characters.")]
OptionalId = Annotated[str | None, typer.Argument(metavar="[ID]", help="The job.")]
KindFlag = Annotated[str | None, typer.Option("--kind", help="All tasks of this kind.")]
EverythingFlag = Annotated[bool, typer.Option("--all", help="All tasks.")]


@app.callback()
def root() -> None:
    pass


@app.command("list")
def list_command(
    status: Annotated[list[JobStatus] | None, typer.Option(help="In this status.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="With tasks of this kind.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="With this tag.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="From this source.")] = None,
    priority: Annotated[list[str] | None, typer.Option(help="Of this priority.")] = None,
    pr: Annotated[list[int] | None, typer.Option("--pr", help="Of this pull request.")] = None,
    sort: Annotated[JobOrder, typer.Option(help="The order.")] = JobOrder.created,
    is_reversed: Annotated[bool, typer.Option("--reverse", help="The order reversed.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Show so many at most.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    everything: Annotated[bool, typer.Option("--all", help="Deleted jobs too.")] = False,
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """List jobs, the newest first."""
    job_filter = JobFilter(
        statuses=frozenset(status or ()),
        kinds=frozenset(kind or ()),
        tags=frozenset(tag or ()),
        sources=frozenset(source or ()),
        priorities=frozenset(map(parse_priority, priority or ())),
        pull_requests=frozenset(pr or ()),
        with_deleted=everything,
    )
    _, config, ledgers = open_with_ledgers(directory)
    settings, now = WaitingSettings.from_config(config), clock.utc_now()
    jobs = [job for ledger in ledgers for job in derive_jobs(ledger.view(), settings, now)]
    page = list_jobs(jobs, job_filter, sort, is_reversed=is_reversed, limit=limit, offset=offset)
    print_result(page, jobs_document, jobs_text, output_format)


@app.command()
def show(job_id: JobId, output_format: FormatFlag = "text", directory: Directory = HERE) -> None:
    """Show one job and its progress."""
    _, config, ledgers = open_with_ledgers(directory)
    ledger, found = locate_job(ledgers, job_id)
    settings = WaitingSettings.from_config(config)
    job = find_job(ledger.view(), found, settings, clock.utc_now())
    print_result(job, job_document, job_text, output_format)


@app.command()
def results(job_id: JobId, output_format: FormatFlag = "text", directory: Directory = HERE) -> None:
    """Show the answer to each task of a job."""
    _, config, ledgers = open_with_ledgers(directory)
    ledger, found = locate_job(ledgers, job_id)
    state = ledger.view()
    job = find_job(state, found, WaitingSettings.from_config(config), clock.utc_now())
    print_result(load_results(ledger, state, job), results_document, results_text, output_format)


@app.command()
def wait(
    job_id: JobId,
    interval: Annotated[float, typer.Option(min=1, help="Seconds between two looks.")] = 30,
    deadline: Annotated[float | None, typer.Option(min=0, help="Seconds to wait.")] = None,
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Collect until a job has ended."""
    repository, config, ledgers = open_with_ledgers(directory)
    ledger, found = locate_job(ledgers, job_id)
    settings = WaitingSettings.from_config(config)
    until = None if deadline is None else clock.utc_now() + timedelta(seconds=deadline)
    while True:
        collect(repository, config, [ledger])
        now = clock.utc_now()
        job = find_job(ledger.view(), found, settings, now)
        code = wait_exit_code(job, until, now)
        if code is not None:
            print_result(job, job_document, job_text, output_format)
            raise typer.Exit(code)
        left = (until - now).total_seconds() if until else interval
        clock.sleep(min(interval, left))


@app.command()
def cancel(job_id: JobId, output_format: FormatFlag = "text", directory: Directory = HERE) -> None:
    """Cancel a job and the batches only it needs."""
    manager, anthropic = _open_manager(directory)
    result = manager.cancel(job_id, anthropic)
    print_result(result, change_document, change_text, output_format)


@app.command()
def retry(job_id: JobId, output_format: FormatFlag = "text", directory: Directory = HERE) -> None:
    """Re-open a job that failed or was cancelled."""
    manager, _ = _open_manager(directory)
    result = manager.retry(job_id)
    print_result(result, change_document, change_text, output_format)
    print_status("the next run sends it, or `claude-batch flush`")


@app.command()
def pause(
    job_id: OptionalId = None,
    kind: KindFlag = None,
    everything: EverythingFlag = False,
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Hold waiting tasks; what is in flight goes on."""
    _hold(job_id, kind, everything, True, output_format, directory)


@app.command()
def resume(
    job_id: OptionalId = None,
    kind: KindFlag = None,
    everything: EverythingFlag = False,
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """End a hold."""
    _hold(job_id, kind, everything, False, output_format, directory)


@app.command()
def delete(job_id: JobId, output_format: FormatFlag = "text", directory: Directory = HERE) -> None:
    """Cancel a job and delete its results at the API."""
    manager, anthropic = _open_manager(directory)
    result = manager.delete(job_id, anthropic)
    for ledger in manager.ledgers:
        delete_ended_batches(ledger, anthropic, manager.stamp)
    print_result(result, change_document, change_text, output_format)


@app.command()
def stats(output_format: FormatFlag = "text", directory: Directory = HERE) -> None:
    """Show counts of jobs, waits and costs."""
    _, config, ledgers = open_with_ledgers(directory)
    settings, now = WaitingSettings.from_config(config), clock.utc_now()
    states = [ledger.view() for ledger in ledgers]
    jobs = [job for state in states for job in derive_jobs(state, settings, now)]
    result = compute_stats(jobs, list_cost_entries(states))
    print_result(result, lambda stats: stats, stats_text, output_format)


@app.command()
def events(output_format: FormatFlag = "text", directory: Directory = HERE) -> None:
    """List what happened to jobs, the oldest first."""
    repository, _, ledgers = open_with_ledgers(directory)
    server = repository.git.environ.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
    now = clock.utc_now()
    found = [event for ledger in ledgers for event in job_events(ledger.view(), now, server)]
    found.sort(key=lambda event: (event.timestamp, event.data.job))
    print_result(found, events_document, events_text, output_format)


def _open_manager(directory: Path) -> tuple[JobManager, AnthropicClient]:
    repository, config, ledgers = open_with_ledgers(directory)
    settings = WaitingSettings.from_config(config)
    manager = JobManager(ledgers, settings, event_stamp(repository))
    return manager, anthropic_client(repository)


def _hold(
    job_id: str | None,
    kind: str | None,
    everything: bool,
    is_on: bool,
    output_format: Format,
    directory: Path,
) -> None:
    if [job_id is not None, kind is not None, everything].count(True) != 1:
        raise BadUsage("what to hold is not clear", "give the id of a job, --kind or --all")
    manager, _ = _open_manager(directory)
    if job_id is not None:
        result = manager.pause(job_id) if is_on else manager.resume(job_id)
        return print_result(result, change_document, change_text, output_format)
    target = kind_target(kind) if kind is not None else ALL
    has_changed = manager.hold(target, is_on=is_on)
    words = ("paused" if is_on else "resumed") if has_changed else "unchanged"
    document = {"target": target, "paused": is_on, "changed": has_changed}
    print_result(document, lambda value: value, lambda _: f"{target}: {words}", output_format)
    return None
