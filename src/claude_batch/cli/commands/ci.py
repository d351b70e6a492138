"""`claude-batch ci`: what the action runs."""

import sys
from collections.abc import Iterator
from functools import cache

import typer

from claude_batch.batches.cancel import close_pull_request
from claude_batch.batches.collect_result import CollectResult
from claude_batch.cli import clock
from claude_batch.cli.commands import collect, publish, submit
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import (
    anthropic_client,
    ci_runner,
    event_stamp,
    open_repository,
    open_shared_ledger,
)
from claude_batch.cli.options import HERE, Directory, Format, FormatFlag, command_app
from claude_batch.cli.output import json_documents, text
from claude_batch.cli.output.json_writer import document
from claude_batch.config.model import Config, Lane
from claude_batch.costs.estimates import sum_estimates
from claude_batch.costs.receipts import build_receipt
from claude_batch.diff.model import SkippedFile
from claude_batch.errors import BadUsage, CannotFetch
from claude_batch.git.repository import Repository
from claude_batch.github_actions.annotations import Annotation, Level, render_annotations
from claude_batch.github_actions.events import base_commit
from claude_batch.github_actions.run import CiActions, CiResult, run_ci
from claude_batch.github_actions.runner import Runner, stop_commands
from claude_batch.ledger.prune import prune
from claude_batch.markdown import escape_block
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.pull_requests.summary import ReviewCoverage, render_submit_summary
from claude_batch.submission.planner import SubmitResult
from claude_batch.tasks.sources import PullRequestSource

app = command_app()
LABEL = "claude-batch-now"
LEVELS: dict[str, Level] = {"critical": "error", "high": "warning"}


@app.command()
def ci(output_format: FormatFlag = Format.text, directory: Directory = HERE) -> None:
    """Handle the current CI event."""
    repository = open_repository(directory)
    runner = ci_runner(repository)
    if runner is None:
        raise BadUsage(
            "no CI event: GITHUB_EVENT_NAME is not set",
            "outside of CI use `claude-batch submit`, `collect` and `publish`",
        )
    result = _run(repository, runner)
    runner.write_outputs(outputs(result))
    runner.write_summary(summary(result))
    _print(result, output_format)
    for line in render_annotations(annotations_of(result)):
        sys.stderr.write(line + "\n")
    if any(publication.failing for publication in result.publications or ()):
        raise typer.Exit(1)


def _run(repository: Repository, runner: Runner) -> CiResult:
    label = repository.git.environ.get("CLAUDE_BATCH_LABEL") or LABEL
    # A pull request is reviewed with the configuration of its base: its head is not trusted.
    base = base_commit(runner.event, runner.load_payload())
    try:
        if base is not None:
            repository.fetch_missing([base])
        config = load_config(repository, base)
    except CannotFetch as error:
        return CiResult(runner.event, warnings=[error])
    steps = ci_actions(repository, config)
    return run_ci(runner.event, runner.load_payload(), label, config.forks, steps)


def _print(result: CiResult, output_format: Format) -> None:
    if output_format is Format.json:
        # The runner obeys commands in what a step prints, and file names and API messages are
        # untrusted. The old command form, "##[", works anywhere in a line; a line of JSON never
        # starts with "::".
        output = document(json_documents.ci(result)).replace("##[", "#\\u0023[")
        sys.stdout.write(output + "\n")
        return
    with stop_commands(sys.stdout):
        sys.stdout.write(text.ci(result) + "\n")


def ci_actions(repository: Repository, config: Config) -> CiActions:
    # One ledger for all steps: what one of them has read the next need not read again.
    open_once = cache(lambda: open_shared_ledger(repository, config))

    def submit_pull_request(pr: int, lane: Lane | None) -> SubmitResult:
        return submit.run(repository, PullRequestSource(pr), {"lane": lane}, share=True)

    def collect_batches() -> CollectResult:
        return collect.run(repository, config, [open_once()])

    def publish_all() -> list[PublishResult]:
        return publish.run(repository, None, {}, open_once())

    def close(pr: int, merged: bool) -> list[tuple[str, str]]:
        anthropic, stamp = anthropic_client(repository), event_stamp(repository)
        canceled = close_pull_request(open_once(), anthropic, pr, merged, stamp)
        return [(str(batch), status) for batch, status in canceled]

    def compact() -> int:
        return prune(open_once(), clock.utc_now(), when_due=True).folded

    return CiActions(submit_pull_request, collect_batches, publish_all, close, compact)


def outputs(result: CiResult) -> dict[str, str]:
    """The action's outputs: counts and dollars of this run."""
    answers = result.collection.answers if result.collection else ()
    paid = build_receipt(answers)
    return {
        "batches": str(len(result.submission.sent) if result.submission else 0),
        "findings": str(sum(answered.findings for answered in answers)),
        "posted": str(sum(publication.posted for publication in result.publications or ())),
        "usd": format(paid.usd, "f"),
        "saved-usd": format(paid.saved_usd, "f"),
    }


def summary(result: CiResult) -> str:
    """The step summary."""
    parts = [_submitted(result.submission)] if result.submission else ["## claude-batch"]
    if result.collection:
        parts.append(_code_block(text.collection(result.collection)))
    if result.publications is not None:
        parts.append(_code_block(text.publication(result.publications)))
    parts += [escape_block(note) for note in result.notes]
    parts += [
        f"**Warning:** {escape_block(warning.problem)}. {escape_block(warning.remedy)}."
        for warning in result.warnings
    ]
    return "\n\n".join(parts)


def _submitted(result: SubmitResult) -> str:
    plan = result.plan.plan
    coverage = ReviewCoverage(
        head=plan.head or "",
        answered=plan.reused,
        pending=plan.new,
        left_out=tuple(SkippedFile(out.path, out.reason) for out in plan.left_out),
    )
    batches = [sent.id for sent in result.sent if sent.id]
    ends = [sent.expires_at for sent in result.sent if sent.expires_at]
    estimates = result.plan.estimates
    return render_submit_summary(
        coverage,
        batches,
        sum_estimates(estimates) if estimates else None,
        max(ends) if ends else None,
        result.plan.ladder_steps,
    )


def _code_block(untrusted: str) -> str:
    # Nothing in an indented block is Markdown.
    return "\n".join(f"    {line}" for line in untrusted.splitlines())


def annotations_of(result: CiResult) -> Iterator[Annotation]:
    """The annotations of a run: outages as warnings, findings at their lines."""
    for error in result.warnings:
        yield Annotation("warning", f"{error.problem}: {error.remedy}", title="claude-batch")
    for publication in result.publications or ():
        for placed in publication.placed:
            finding = placed.finding
            yield Annotation(
                LEVELS.get(finding.severity, "notice"),
                finding.body,
                file=placed.path,
                line=placed.first_line,
                end_line=placed.line,
                title=finding.title,
            )
