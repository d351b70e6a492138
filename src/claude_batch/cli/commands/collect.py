"""`claude-batch collect`."""

import sys
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import Annotated

import typer

from claude_batch.batches.collect import Collector
from claude_batch.batches.collect import collect as run_steps
from claude_batch.batches.collect_result import CollectResult, Progress, merge_results
from claude_batch.cli import clock
from claude_batch.cli.connections import (
    anthropic_client,
    ci_runner,
    open_with_ledgers,
    run_id,
)
from claude_batch.cli.options import HERE, Directory, FormatFlag, command_app, print_result
from claude_batch.cli.output.collect_result import collect_document, collect_text
from claude_batch.config.model import Config
from claude_batch.git.repository import Repository
from claude_batch.ledger.store import Ledger
from claude_batch.submission import submit as submission
from claude_batch.submission.inputs import (
    build_planner,
    kinds_including,
    load_prices,
    load_resubmission_scope,
    new_id,
)
from claude_batch.submission.planner import SubmitResult
from claude_batch.submission.resubmit import Resubmitter
from claude_batch.submission.scope import Resubmission, ReviewScope
from claude_batch.tasks.task import TaskId
from claude_batch.verification.verify import Verifier

app = command_app()


@app.command()
def collect(
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until all batches have ended.")
    ] = False,
    no_submit: Annotated[
        bool, typer.Option("--no-submit", help="Send nothing: no second looks, no retries.")
    ] = False,
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Fetch ended batches into the ledger."""
    repository, config, ledgers = open_with_ledgers(directory)
    result = run(repository, config, ledgers, wait=wait, submit=not no_submit)
    print_result(result, collect_document, collect_text, output_format)


def run(
    repository: Repository,
    config: Config,
    ledgers: Iterable[Ledger],
    *,
    wait: bool = False,
    submit: bool = True,
) -> CollectResult:
    return merge_results(
        collect_ledger(repository, config, ledger, wait=wait, submit=submit) for ledger in ledgers
    )


def collect_ledger(
    repository: Repository,
    config: Config,
    ledger: Ledger,
    *,
    wait: bool,
    submit: bool = True,
    tasks: AbstractSet[TaskId] | None = None,
) -> CollectResult:
    """Collect, then send retries and second looks. `tasks`: wait for these only."""
    anthropic, prices, run = anthropic_client(repository), load_prices(config), run_id(repository)
    keep_findings = config.retention == "answers"
    collector = Collector(ledger, anthropic, prices, run, clock.utc_now, keep_findings)
    # In CI the rules come from the checked out base, as the configuration does.
    is_ci = ci_runner(repository) is not None

    def fetch() -> CollectResult:
        if wait:
            return collector.wait(clock.sleep, progress_printer(), tasks)
        return collector.collect()

    def load_scope(resubmission: Resubmission) -> ReviewScope:
        rules = "HEAD" if is_ci else resubmission.plan.base
        return load_resubmission_scope(repository, config, resubmission, run, rules)

    def resubmit(scope: ReviewScope) -> SubmitResult:
        # In the lane at half price: a retry has waited already.
        batch_config = config.model_copy(update={"lane": "batch"})
        kinds = kinds_including(config, (task.kind for task in scope.tasks))
        planner = build_planner(batch_config, clock.utc_now(), kinds)
        return submission.submit(scope, planner, ledger, anthropic, clock.utc_now)

    resubmitter = Resubmitter(ledger, load_scope, resubmit, clock.utc_now)
    verifier = Verifier(ledger, anthropic, repository, config, prices, run, clock.utc_now, new_id)
    steps = (fetch, resubmitter.send, verifier.send) if submit else (fetch,)
    return run_steps(steps, wait=wait)


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
