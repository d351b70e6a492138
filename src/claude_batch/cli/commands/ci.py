"""`claude-batch ci`: what the action runs."""

import sys
from collections.abc import Iterator

import typer

from claude_batch.batches.cancel import close_pull_request
from claude_batch.cli.commands import collect, publish, submit
from claude_batch.cli.context import CliContext
from claude_batch.cli.options import HERE, As, Directory, Format, command
from claude_batch.cli.output import json_documents as report
from claude_batch.cli.output import text as words
from claude_batch.cli.output.json_writer import document
from claude_batch.config.model import Config, Lane
from claude_batch.costs.estimates import sum_estimates
from claude_batch.costs.receipts import build_receipt
from claude_batch.diff.model import SkippedFile
from claude_batch.errors import BadUsage, CannotFetch
from claude_batch.github_actions.annotations import Annotation, Level, render_annotations
from claude_batch.github_actions.events import base_commit
from claude_batch.github_actions.run import CiResult, Verbs
from claude_batch.github_actions.run import run_ci as trip
from claude_batch.github_actions.runner import Runner, stop_commands
from claude_batch.ledger.events import Stamp
from claude_batch.ledger.prune import prune
from claude_batch.markdown import escape_block
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.pull_requests.summary import ReviewCoverage, render_submit_summary
from claude_batch.submission.planner import SubmitResult
from claude_batch.tasks.sources import PullRequestSource

app = command()
LABEL = "claude-batch-now"
LEVELS: dict[str, Level] = {"critical": "error", "high": "warning"}


@app.command()
def ci(form: As = Format.text, directory: Directory = HERE) -> None:
    """Do what the CI event asks for."""
    world = CliContext(directory)
    runner = world.runner
    if runner is None:
        raise BadUsage(
            "no CI event: GITHUB_EVENT_NAME is not set",
            "outside of CI use `claude-batch submit`, `collect` and `publish`",
        )
    done = _trip(world, runner)
    runner.write_outputs(outputs(done))
    runner.write_summary(summary(done))
    _show(done, form)
    for line in render_annotations(said(done)):
        sys.stderr.write(line + "\n")
    if any(one.failing for one in done.publications or ()):
        raise typer.Exit(1)


def _trip(world: CliContext, runner: Runner) -> CiResult:
    label = world.environ.get("CLAUDE_BATCH_LABEL") or LABEL
    try:
        config = _config(world, runner)
    except CannotFetch as outage:
        return CiResult(runner.event, warnings=[outage])
    return trip(runner.event, runner.load_payload(), label, config.forks, verbs(world, config))


def _config(world: CliContext, runner: Runner) -> Config:
    """A pull request is judged by its base: what the checked out head says is not read."""
    base = base_commit(runner.event, runner.load_payload())
    if base is not None:
        world.repository.bring([base])
    return world.config(base)


def _show(done: CiResult, form: Format) -> None:
    """File names and API messages are strangers' text, and what a step prints is obeyed."""
    if form is Format.json:
        # The old command form is found anywhere in a line; a JSON line never starts with "::".
        text = document(report.ci(done)).replace("##[", "#\\u0023[")
        sys.stdout.write(text + "\n")
        return
    with stop_commands(sys.stdout):
        sys.stdout.write(words.ci(done) + "\n")


def verbs(world: CliContext, config: Config) -> Verbs:
    def submitted(pr: int, lane: Lane | None) -> SubmitResult:
        return submit.run(world, PullRequestSource(pr), {"lane": lane}, share=True)

    def published() -> list[PublishResult]:
        done = publish.run(world, publish.pulls(world, None), {})
        return done + publish.refactorings(world)

    def closed(pr: int, merged: bool) -> list[tuple[str, str]]:
        ledger = world.shared(config)
        done = close_pull_request(
            ledger, world.claude, pr, merged, Stamp(world.run, world.slug, world.now)
        )
        return [(str(batch), status) for batch, status in done]

    def compacted() -> int:
        return prune(world.shared(config), world.now(), when_due=True).folded

    return Verbs(submitted, lambda: collect.run(world, config), published, closed, compacted)


def outputs(done: CiResult) -> dict[str, str]:
    """The action's outputs: counts and dollars of this run."""
    answers = done.collection.answers if done.collection else ()
    paid = build_receipt(answers)
    return {
        "batches": str(len(done.submission.sent) if done.submission else 0),
        "findings": str(sum(answered.findings for answered in answers)),
        "posted": str(sum(one.posted for one in done.publications or ())),
        "usd": format(paid.usd, "f"),
        "saved-usd": format(paid.saved_usd, "f"),
    }


def summary(done: CiResult) -> str:
    """The step summary."""
    parts = [_submitted(done.submission)] if done.submission else ["## claude-batch"]
    if done.collection:
        parts.append(_block(words.collection(done.collection)))
    if done.publications is not None:
        parts.append(_block(words.publication(done.publications)))
    parts += [f"{_plain(note)}" for note in done.notes]
    parts += [f"**Warning:** {_plain(one.problem)}. {_plain(one.remedy)}." for one in done.warnings]
    return "\n\n".join(parts)


def _submitted(done: SubmitResult) -> str:
    plan = done.plan.plan
    coverage = ReviewCoverage(
        head=plan.head or "",
        answered=plan.reused,
        pending=plan.new,
        left_out=tuple(SkippedFile(out.path, out.reason) for out in plan.left_out),
    )
    batches = [sent.id for sent in done.sent if sent.id]
    ends = [sent.expires_at for sent in done.sent if sent.expires_at]
    estimates = done.plan.estimates
    return render_submit_summary(
        coverage,
        batches,
        sum_estimates(estimates) if estimates else None,
        max(ends) if ends else None,
        done.plan.ladder_steps,
    )


def _block(text: str) -> str:
    """Text of strangers: indented, it is code and nothing in it is Markdown."""
    return "\n".join(f"    {row}" for row in text.splitlines())


def _plain(text: str) -> str:
    return escape_block(text)


def said(done: CiResult) -> Iterator[Annotation]:
    """Outages as warnings, findings at their lines."""
    for error in done.warnings:
        yield Annotation("warning", f"{error.problem}: {error.remedy}", title="claude-batch")
    for one in done.publications or ():
        for placed in one.placed:
            finding = placed.finding
            yield Annotation(
                LEVELS.get(finding.severity, "notice"),
                finding.body,
                file=placed.path,
                line=placed.first_line,
                end_line=placed.line,
                title=finding.title,
            )
