"""The result of `ci`: its text, its JSON, and the CI runner's outputs, summary and annotations."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from claude_batch.batches.collect_result import CollectResult
from claude_batch.cli.output.collect_result import collect_document, collect_text
from claude_batch.cli.output.json_writer import Json, select
from claude_batch.cli.output.publish_result import publish_document, publish_text
from claude_batch.cli.output.submit_result import submit_document, submit_text
from claude_batch.costs.estimates import sum_estimates
from claude_batch.diff.model import SkippedFile
from claude_batch.errors import ClaudeBatchError
from claude_batch.github_actions.annotations import Annotation, Level
from claude_batch.markdown import escape_block
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.pull_requests.summary import ReviewCoverage, render_submit_summary
from claude_batch.submission.planner import SubmitResult

LEVELS: dict[str, Level] = {"critical": "error", "high": "warning"}


@dataclass
class CiResult:
    """The results of the steps that ran. A field is None if its step did not run."""

    event: str
    notes: list[str] = field(default_factory=list)
    warnings: list[ClaudeBatchError] = field(default_factory=list)
    submission: SubmitResult | None = None
    collection: CollectResult | None = None
    publications: list[PublishResult] | None = None


def ci_document(result: CiResult) -> Json:
    """A step that did not run has no key."""
    document: dict[str, object] = {
        "event": result.event,
        "notes": result.notes,
        "warnings": [select(warning, "problem", "remedy") for warning in result.warnings],
    }
    if result.submission:
        document["submit"] = submit_document(result.submission)
    if result.collection:
        document["collect"] = collect_document(result.collection)
    if result.publications is not None:
        document["publish"] = publish_document(result.publications)
    return document


def ci_text(result: CiResult) -> str:
    lines = [*result.notes]
    lines += [submit_text(result.submission)] if result.submission else []
    lines += [collect_text(result.collection)] if result.collection else []
    lines += [publish_text(result.publications)] if result.publications is not None else []
    lines += [
        f"warning: {warning.problem}\n   help: {warning.remedy}" for warning in result.warnings
    ]
    return "\n".join(lines)


def action_outputs(result: CiResult) -> dict[str, str]:
    """The action's outputs: counts and dollars of this run."""
    tally = (result.collection or CollectResult()).tally
    return {
        "batches": str(len(result.submission.sent) if result.submission else 0),
        "findings": str(tally.findings),
        "posted": str(sum(publication.posted for publication in result.publications or ())),
        "usd": format(tally.receipt.usd, "f"),
        "saved-usd": format(tally.receipt.saved_usd, "f"),
    }


def step_summary(result: CiResult) -> str:
    """The Markdown of the step summary."""
    parts = [_submit_summary(result.submission)] if result.submission else ["## claude-batch"]
    if result.collection:
        parts.append(_code_block(collect_text(result.collection)))
    if result.publications is not None:
        parts.append(_code_block(publish_text(result.publications)))
    parts += [escape_block(note) for note in result.notes]
    parts += [
        f"**Warning:** {escape_block(warning.problem)}. {escape_block(warning.remedy)}."
        for warning in result.warnings
    ]
    return "\n\n".join(parts)


def _submit_summary(result: SubmitResult) -> str:
    plan = result.plan.plan
    coverage = ReviewCoverage(
        head=plan.head or "",
        answered=plan.reused,
        pending=plan.new,
        left_out=tuple(SkippedFile(file.path, file.reason) for file in plan.left_out),
    )
    ends = [batch.expires_at for batch in result.sent if batch.expires_at]
    estimates = result.plan.estimates
    return render_submit_summary(
        coverage,
        [batch.id for batch in result.sent if batch.id],
        sum_estimates(estimates) if estimates else None,
        max(ends, default=None),
        result.plan.ladder_steps,
    )


def _code_block(untrusted: str) -> str:
    # Nothing in an indented block is Markdown.
    return "\n".join(f"    {line}" for line in untrusted.splitlines())


def annotations(result: CiResult) -> Iterator[Annotation]:
    """Outages as warnings, findings at their lines."""
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
