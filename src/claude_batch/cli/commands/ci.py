"""`claude-batch ci`: the action runs it for each event."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import typer

from claude_batch.batches.collect_result import CollectResult
from claude_batch.cli import clock
from claude_batch.cli.commands import collect, publish
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import (
    ci_runner,
    open_reconciler,
    open_repository,
    open_shared_ledger,
)
from claude_batch.cli.options import HERE, Directory, Format, FormatFlag, command_app
from claude_batch.cli.output import ci_result
from claude_batch.cli.output.ci_result import CiResult
from claude_batch.cli.output.json_writer import write_json
from claude_batch.config.model import Config
from claude_batch.errors import (
    BadUsage,
    BudgetExceeded,
    CannotCollect,
    CannotFetch,
    CannotPublish,
    CannotRecord,
    CannotSubmit,
)
from claude_batch.git.repository import Repository
from claude_batch.github_actions.annotations import render_annotations
from claude_batch.github_actions.events import (
    PullRequestHint,
    SkipEvent,
    base_branch,
    merge_group_head,
    read_event,
)
from claude_batch.github_actions.runner import Runner, stop_commands
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.prune import prune
from claude_batch.ledger.view import refactoring_plans
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.reconcile.coverage import LABEL
from claude_batch.reconcile.reconciler import Reconciler, ReconcileResult

app = command_app()

# A service or the budget refused. Errors of usage and configuration, and bugs, fail the run.
OUTAGES = (BudgetExceeded, CannotCollect, CannotFetch, CannotPublish, CannotRecord, CannotSubmit)


@app.command()
def ci(output_format: FormatFlag = "text", directory: Directory = HERE) -> None:
    """Handle the current CI event."""
    repository = open_repository(directory)
    runner = ci_runner(repository)
    if runner is None:
        raise BadUsage(
            "no CI event: GITHUB_EVENT_NAME is not set",
            "outside of CI use `claude-batch submit`, `collect` and `publish`",
        )
    result = handle_event(repository, runner)
    runner.write_outputs(ci_result.action_outputs(result))
    runner.write_summary(ci_result.step_summary(result))
    print_safely(result, output_format)
    for line in render_annotations(ci_result.annotations(result)):
        sys.stderr.write(line + "\n")
    if any(publication.failing for publication in result.publications):
        raise typer.Exit(1)


def handle_event(repository: Repository, runner: Runner) -> CiResult:
    payload = runner.load_payload()
    label = repository.git.environ.get("CLAUDE_BATCH_LABEL") or LABEL
    # A pull request is reviewed with the configuration of its base: its head is not trusted.
    base = base_branch(runner.event, payload)
    try:
        # The commit of the event may be older than the branch.
        tip = repository.remote_tip(base.ref) if base and base.ref else None
        commit = tip or (base.sha if base else None)
        if commit is not None:
            repository.fetch_missing([commit])
        config = load_config(repository, commit)
    except CannotFetch as error:
        return CiResult(runner.event, warnings=[error])
    return CiRun(repository, config, label, CiResult(runner.event)).run(payload)


@dataclass(frozen=True)
class CiRun:
    """One run of `ci`: the steps for each event, and the result that they fill in.

    Raises every error that is not an outage.
    """

    repository: Repository
    config: Config
    label: str
    result: CiResult

    def run(self, payload: Mapping[str, object]) -> CiResult:
        """Run the steps for the event."""
        event = self.result.event
        match event:
            case "pull_request" | "pull_request_target":
                with self.outages_as_warnings():
                    self.handle_pull_request(payload)
            case "schedule" | "workflow_dispatch":
                # Each step runs after an outage of an earlier one: paid answers are published.
                with self.outages_as_warnings():
                    self.result.collection = self.collect()
                with self.outages_as_warnings():
                    self.add(self.reconciler.reconcile_all())
                with self.outages_as_warnings():
                    self.result.publications += self.publish_refactorings()
                with self.outages_as_warnings():
                    folded = self.compact()
                    if folded:
                        self.result.notes.append(f"{folded:,} old files of the ledger were folded")
            case "merge_group":
                with self.outages_as_warnings():
                    self.reconciler.pass_merge_group(merge_group_head(payload))
            case "push":
                with self.outages_as_warnings():
                    self.result.collection = self.collect()
            case _:
                self.result.notes.append(f"nothing to do for {event or 'a run without an event'}")
        return self.result

    def handle_pull_request(self, payload: Mapping[str, object]) -> None:
        match read_event(self.result.event, payload, self.label):
            case PullRequestHint(pr, is_labelled):
                self.add(self.reconciler.reconcile_pull_request(pr, is_labelled=is_labelled))
            case SkipEvent(reason):
                self.result.notes.append(reason)

    @contextmanager
    def outages_as_warnings(self) -> Iterator[None]:
        # An outage must not block a merge.
        try:
            yield
        except OUTAGES as error:
            self.result.warnings.append(error)

    def add(self, reconciled: ReconcileResult) -> None:
        self.result.flush = reconciled.flush
        self.result.publications += reconciled.publications
        self.result.warnings += reconciled.problems
        self.result.notes += reconciled.notes
        self.result.notes += [f"batch {batch}: {status}" for batch, status in reconciled.canceled]

    @cached_property
    def ledger(self) -> GitLedger:
        """The shared ledger. A later step need not read again what an earlier one has read."""
        ledger = open_shared_ledger(self.repository, self.config)
        ledger.rereads = False
        return ledger

    @cached_property
    def reconciler(self) -> Reconciler:
        return open_reconciler(self.repository, self.config, self.ledger, self.label)

    def collect(self) -> CollectResult:
        # What failed is sent again by the reconciler, with all that waits.
        return collect.run(self.repository, self.config, [self.ledger], resubmit=False)

    def publish_refactorings(self) -> list[PublishResult]:
        if not refactoring_plans(self.ledger.view()):
            return []
        return publish.publish_refactorings(self.repository, self.reconciler.github, self.ledger)

    def compact(self) -> int:
        """Compact the ledger if that is due. Return the number of folded log files."""
        return prune(self.ledger, clock.utc_now(), when_due=True).folded


def print_safely(result: CiResult, output_format: Format) -> None:
    """Print the result so that the CI runner obeys no command in untrusted text."""
    if output_format == "json":
        # The old command form, "##[", works anywhere in a line; a line of JSON never starts with
        # "::", the new one.
        output = write_json(ci_result.ci_document(result)).replace("##[", "#\\u0023[")
        sys.stdout.write(output + "\n")
        return
    with stop_commands(sys.stdout):
        sys.stdout.write(ci_result.ci_text(result) + "\n")
