"""`claude-batch submit` and `claude-batch estimate`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from claude_batch.batches.collect_result import CollectResult
from claude_batch.cli import clock
from claude_batch.cli.commands import all_open, collect
from claude_batch.cli.connections import anthropic_client, open_local_ledger
from claude_batch.cli.options import (
    command_app,
    confirm_price,
    is_terminal,
    print_result,
    print_status,
)
from claude_batch.cli.output.collect_result import collect_document, collect_text
from claude_batch.cli.output.json_writer import Json
from claude_batch.cli.output.submit_result import (
    estimate_document,
    estimate_text,
    submit_document,
    submit_text,
)
from claude_batch.cli.plan_flags import NO_WISHES
from claude_batch.cli.source_options import (
    SourceOptions,
    SubmitInput,
    choose_ledger,
    prepare,
    with_source_options,
)
from claude_batch.costs.estimates import sum_estimates
from claude_batch.git.hook_queue import HookQueue
from claude_batch.git.repository import Repository
from claude_batch.ledger.git_store import GitLedger
from claude_batch.submission import submit as submission
from claude_batch.submission.planner import SubmissionPlanner, SubmitResult
from claude_batch.submission.scope import PlanOptions, ReviewScope
from claude_batch.submission.send import PrimerWait
from claude_batch.tasks.sources import Source

app = command_app()
estimate_app = command_app()


def submit(options: SourceOptions) -> None:
    """Submit new changes for review."""
    print_status("reading changes ...")
    if options.source is None:
        return all_open.submit(options)
    repository = options.repository
    prepared = prepare(repository, options.source, options.flags, options.wishes)
    ledger, scope = choose_ledger(repository, prepared, share=options.share)
    if not options.is_confirmed and is_terminal():
        planned = submission.estimate(scope, prepared.planner, ledger, anthropic_client(repository))
        if not confirm_price(sum_estimates(planned.plan.estimates).usd):
            print_status("nothing was sent")
            return print_result(planned, estimate_document, estimate_text, options.output_format)
    sender = Sender(repository, prepared, ledger, scope, options.despite_damage)
    if not options.wait:
        return print_result(sender.send(), submit_document, submit_text, options.output_format)
    results = sender.send_and_wait()
    return print_result(results, _waited_document, _waited_text, options.output_format)


def _waited_document(results: tuple[SubmitResult, CollectResult]) -> Json:
    submitted, collected = results
    return {**submit_document(submitted), "collect": collect_document(collected)}


def _waited_text(results: tuple[SubmitResult, CollectResult]) -> str:
    submitted, collected = results
    return f"{submit_text(submitted)}\n{collect_text(collected)}"


def run(
    repository: Repository, source: Source, flags: Mapping[str, object], *, share: bool
) -> SubmitResult:
    """Submit without a question."""
    prepared = prepare(repository, source, flags)
    return Sender(repository, prepared, *choose_ledger(repository, prepared, share=share)).send()


@dataclass(frozen=True)
class Sender:
    """Sends one submission."""

    repository: Repository
    prepared: SubmitInput
    ledger: GitLedger
    scope: ReviewScope
    despite_damage: bool = False

    def send(self) -> SubmitResult:
        return self._send(self.prepared.planner, None)

    def send_and_wait(self) -> tuple[SubmitResult, CollectResult]:
        """Then collect until nothing of it is open, second looks included."""
        # This process stays, so it can send shared prefixes first where that is cheaper.
        planner = replace(self.prepared.planner, waits_for_primers=True)
        client = anthropic_client(self.repository)
        result = self._send(planner, PrimerWait(client, clock.utc_now, clock.sleep, print_status))
        ledgers = [self.ledger]
        if self.ledger.remote and self.scope.known_elsewhere:
            ledgers.insert(0, open_local_ledger(self.repository))  # they may be in flight there
        config, tasks = self.prepared.config, {task.id for task in self.scope.tasks}
        return result, collect.run(self.repository, config, ledgers, wait=True, tasks=tasks)

    def _send(self, planner: SubmissionPlanner, primer_wait: PrimerWait | None) -> SubmitResult:
        result = submission.submit(
            *(self.scope, planner, self.ledger, anthropic_client(self.repository), clock.utc_now),
            primer_wait,
            despite_damage=self.despite_damage,
        )
        # After sending: handling a note twice costs nothing, losing one loses its changes.
        if self.prepared.notes:
            HookQueue(self.repository.common_dir).drop(self.prepared.notes)
        return result


def estimate(options: SourceOptions) -> None:
    """Show what submit would send, and its price."""
    if options.source is None:
        return all_open.estimate(options)
    result = run_estimate(
        *(options.repository, options.source, options.flags, options.wishes), share=options.share
    )
    return print_result(result, estimate_document, estimate_text, options.output_format)


def run_estimate(
    repository: Repository,
    source: Source,
    flags: Mapping[str, object],
    wishes: PlanOptions = NO_WISHES,
    *,
    share: bool,
) -> SubmitResult:
    prepared = prepare(repository, source, flags, wishes)
    ledger, scope = choose_ledger(repository, prepared, share=share, is_estimate=True)
    return submission.estimate(scope, prepared.planner, ledger, anthropic_client(repository))


app.command()(with_source_options(submit, sends=True))
estimate_app.command()(with_source_options(estimate))
