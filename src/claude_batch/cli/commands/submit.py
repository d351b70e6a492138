"""`claude-batch submit` and `claude-batch estimate`."""

from collections.abc import Mapping
from dataclasses import replace

from claude_batch.batches.collect_result import CollectResult
from claude_batch.cli import clock
from claude_batch.cli.commands.collect import collect_ledger
from claude_batch.cli.connections import anthropic_client
from claude_batch.cli.options import command_app, print_result, print_status
from claude_batch.cli.output.collect_result import collect_document, collect_text
from claude_batch.cli.output.json_writer import Json
from claude_batch.cli.output.submit_result import (
    estimate_document,
    estimate_text,
    submit_document,
    submit_text,
)
from claude_batch.cli.source_options import (
    SourceOptions,
    SubmitInput,
    choose_ledger,
    prepare,
    with_source_options,
)
from claude_batch.git.hook_queue import HookQueue
from claude_batch.git.repository import Repository
from claude_batch.ledger.git_store import GitLedger
from claude_batch.submission import submit as submission
from claude_batch.submission.planner import SubmitResult
from claude_batch.submission.scope import ReviewScope
from claude_batch.submission.send import PrimerWait
from claude_batch.tasks.sources import Source

app = command_app()
estimate_app = command_app()


def submit(options: SourceOptions) -> None:
    """Submit new changes for review."""
    print_status("reading changes ...")
    if options.wait:
        results = submit_and_wait(options)
        print_result(results, _waited_document, _waited_text, options.output_format)
    else:
        result = run(options.repository, options.source, options.flags, share=options.share)
        print_result(result, submit_document, submit_text, options.output_format)


def _waited_document(results: tuple[SubmitResult, CollectResult]) -> Json:
    submitted, collected = results
    return {**submit_document(submitted), "collect": collect_document(collected)}


def _waited_text(results: tuple[SubmitResult, CollectResult]) -> str:
    submitted, collected = results
    return f"{submit_text(submitted)}\n{collect_text(collected)}"


def submit_and_wait(options: SourceOptions) -> tuple[SubmitResult, CollectResult]:
    """Submit, then collect until nothing of this submission is open, second looks included."""
    repository = options.repository
    prepared = prepare(repository, options.source, options.flags)
    ledger, scope = choose_ledger(repository, prepared, share=options.share)
    result = _send(repository, prepared, ledger, scope, waits=True)
    tasks = {task.id for task in scope.tasks}
    return result, collect_ledger(repository, prepared.config, ledger, wait=True, tasks=tasks)


def run(
    repository: Repository, source: Source, flags: Mapping[str, object], *, share: bool
) -> SubmitResult:
    prepared = prepare(repository, source, flags)
    return _send(repository, prepared, *choose_ledger(repository, prepared, share=share))


def _send(
    repository: Repository,
    prepared: SubmitInput,
    ledger: GitLedger,
    scope: ReviewScope,
    *,
    waits: bool = False,
) -> SubmitResult:
    client, planner, primer_wait = anthropic_client(repository), prepared.planner, None
    if waits:
        # This process stays, so it can send shared prefixes first where that is cheaper.
        planner = replace(planner, waits_for_primers=True)
        primer_wait = PrimerWait(client, clock.utc_now, clock.sleep, print_status)
    result = submission.submit(scope, planner, ledger, client, clock.utc_now, primer_wait)
    # After sending: handling a note twice costs nothing, losing one loses its changes.
    if prepared.notes:
        HookQueue(repository.common_dir).drop(prepared.notes)
    return result


def estimate(options: SourceOptions) -> None:
    """Show what submit would send, and its price."""
    result = run_estimate(options.repository, options.source, options.flags, share=options.share)
    print_result(result, estimate_document, estimate_text, options.output_format)


def run_estimate(
    repository: Repository, source: Source, flags: Mapping[str, object], *, share: bool
) -> SubmitResult:
    prepared = prepare(repository, source, flags)
    ledger, scope = choose_ledger(repository, prepared, share=share, is_estimate=True)
    return submission.estimate(scope, prepared.planner, ledger, anthropic_client(repository))


app.command()(with_source_options(submit, waits=True))
estimate_app.command()(with_source_options(estimate))
