"""`claude-batch collect`."""

import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated

import typer

from claude_batch.batches.collect import UNLIMITED, Collector, WaitLimits
from claude_batch.batches.collect import collect as run_steps
from claude_batch.batches.collect_result import CollectResult, Progress, merge_results
from claude_batch.cli import clock
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import (
    anthropic_client,
    ci_runner,
    find_shared_tasks,
    github_client,
    open_local_answers,
    open_with_ledgers,
    run_id,
)
from claude_batch.cli.options import HERE, Directory, FormatFlag, command_app, print_result
from claude_batch.cli.output.collect_result import collect_document, collect_text
from claude_batch.config.model import Config
from claude_batch.errors import BadUsage
from claude_batch.git.repository import Repository
from claude_batch.jobs.derivation import derive_jobs
from claude_batch.jobs.job import JobStatus
from claude_batch.jobs.wait import DEADLINE, UNSUCCESSFUL
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.store import Ledger
from claude_batch.submission.flush import Flusher, FlushOptions, Submission
from claude_batch.submission.inputs import load_prices, load_submission, new_id
from claude_batch.submission.scope import Resubmission
from claude_batch.tasks.discovery import with_fresh_base
from claude_batch.tasks.task import TaskId
from claude_batch.verification.verify import Verifier
from claude_batch.waiting.settings import WaitingSettings

app = command_app()


@app.command()
def collect(
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until all batches have ended.")
    ] = False,
    no_submit: Annotated[
        bool, typer.Option("--no-submit", help="Send nothing: no second looks, no retries.")
    ] = False,
    interval: Annotated[
        float | None, typer.Option(min=1, help="Seconds between two looks.")
    ] = None,
    deadline: Annotated[float | None, typer.Option(min=0, help="Seconds to wait at most.")] = None,
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Fetch ended batches into the ledger."""
    if not wait and (interval is not None or deadline is not None):
        raise BadUsage("--interval and --deadline need --wait", "add --wait, or leave them out")
    repository, config, ledgers = open_with_ledgers(directory)
    now, settings = clock.utc_now(), WaitingSettings.from_config(config)
    until = None if deadline is None else now + timedelta(seconds=deadline)
    limits = WaitLimits(interval, until)
    awaited = find_processing_jobs(ledgers, settings, now) if wait else []
    result = run(repository, config, ledgers, wait=wait, submit=not no_submit, limits=limits)
    print_result(result, collect_document, collect_text, output_format)
    if result.has_failed:
        raise typer.Exit(UNSUCCESSFUL)
    if wait:
        raise typer.Exit(exit_code_of_jobs(awaited, ledgers, settings, until, clock.utc_now()))


def find_processing_jobs(
    ledgers: Sequence[Ledger], settings: WaitingSettings, now: datetime
) -> list[str]:
    jobs = [job for ledger in ledgers for job in derive_jobs(ledger.view(), settings, now)]
    return [job.id for job in jobs if job.status is JobStatus.PROCESSING]


def exit_code_of_jobs(
    awaited: Collection[str],
    ledgers: Sequence[Ledger],
    settings: WaitingSettings,
    until: datetime | None,
    now: datetime,
) -> int:
    """The exit code for jobs that were waited for, as that of `jobs wait`."""
    if until and now >= until and any(ledger.view().open_batches() for ledger in ledgers):
        return DEADLINE
    jobs = [job for ledger in ledgers for job in derive_jobs(ledger.view(), settings, now)]
    bad = (JobStatus.FAILED, JobStatus.EXPIRED, JobStatus.CANCELLED)
    return UNSUCCESSFUL if any(job.id in awaited and job.status in bad for job in jobs) else 0


def run(
    repository: Repository,
    config: Config,
    ledgers: Iterable[Ledger],
    *,
    wait: bool = False,
    submit: bool = True,
    resubmit: bool = True,
    tasks: AbstractSet[TaskId] | None = None,
    limits: WaitLimits = UNLIMITED,
) -> CollectResult:
    """Collect in each ledger; the shared one comes last and takes over local answers.

    `tasks`: wait for these only.
    """
    results: list[CollectResult] = []
    local: Ledger | None = None
    for ledger in ledgers:
        if local:
            answers = open_local_answers(repository, config, ledger, local)
            answers.take_over_for_open_pull_requests()
        results.append(
            collect_ledger(
                *(repository, config, ledger),
                wait=wait,
                submit=submit,
                resubmit=resubmit,
                tasks=tasks,
                limits=limits,
            )
        )
        local = ledger
    return merge_results(results)


def collect_ledger(
    repository: Repository,
    config: Config,
    ledger: Ledger,
    *,
    wait: bool,
    submit: bool = True,
    resubmit: bool = True,
    tasks: AbstractSet[TaskId] | None = None,
    limits: WaitLimits = UNLIMITED,
) -> CollectResult:
    """Collect, then send retries and second looks."""
    anthropic, prices, run = anthropic_client(repository), load_prices(config), run_id(repository)
    keep_findings = config.retention == "answers"
    collector = Collector(ledger, anthropic, prices, run, clock.utc_now, keep_findings)

    def fetch() -> CollectResult:
        if wait:
            return collector.wait(clock.sleep, progress_printer(), tasks, limits)
        return collector.collect()

    def send_again() -> CollectResult:
        flusher = build_flusher(repository, config, ledger)
        result = flusher.flush(FlushOptions(only_tried=True))
        notes = [f"{label} is not sent again: {error.problem}" for label, error in result.problems]
        return CollectResult(sent=result.sent, notes=tuple(notes))

    verifier = Verifier(ledger, anthropic, repository, config, prices, run, clock.utc_now, new_id)
    steps: list[Callable[[], CollectResult]] = [fetch]
    if submit:
        steps += [send_again, verifier.send] if resubmit else [verifier.send]
    return run_steps(steps, wait=wait)


def build_flusher(
    repository: Repository, config: Config, ledger: Ledger, *, despite_damage: bool = False
) -> Flusher:
    def load(resubmission: Resubmission) -> Submission:
        number = resubmission.plan.pr
        pull = github_client(repository).get_pull_request(number) if number else None
        pull = with_fresh_base(repository, pull) if pull else None
        own = load_config(repository, pull.base_sha) if pull else config
        run = run_id(repository)
        submission = load_submission(repository, own, resubmission, run, clock.utc_now(), pull)
        known = _find_known_elsewhere(repository, config, ledger, resubmission)
        return replace(submission, scope=replace(submission.scope, known_elsewhere=known))

    anthropic, settings = anthropic_client(repository), WaitingSettings.from_config(config)
    return Flusher(ledger, anthropic, settings, clock.utc_now, load, despite_damage)


def _find_known_elsewhere(
    repository: Repository, config: Config, ledger: Ledger, resubmission: Resubmission
) -> frozenset[TaskId]:
    """The tasks that the other ledger of this clone knows."""
    if not isinstance(ledger, GitLedger):
        return frozenset()
    if ledger.remote is None:
        return find_shared_tasks(repository, config, resubmission.tasks)
    if ci_runner(repository):  # it has no local ledger
        return frozenset()
    return open_local_answers(repository, config, ledger).known_tasks([resubmission.plan])


def progress_printer() -> Callable[[Progress], None]:
    """A bar on a terminal, elsewhere a line for each change."""
    if sys.stderr.isatty():
        from claude_batch.cli.output.progress import Bar

        return Bar().show
    last: list[Progress] = []

    def print_line(progress: Progress) -> None:
        if [progress] != last:
            last[:] = [progress]
            sys.stderr.write(f"{progress.done} of {progress.total} requests have ended\n")

    return print_line
