"""The result of `ci`: its text, its JSON, and the CI runner's outputs, summary and annotations."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from claude_batch.batches.batching import SentBatch
from claude_batch.batches.collect_result import CollectResult
from claude_batch.cli.output.collect_result import collect_document, collect_text
from claude_batch.cli.output.flush_result import flush_document, flush_text
from claude_batch.cli.output.json_writer import Json, select
from claude_batch.cli.output.publish_result import publish_document, publish_text
from claude_batch.cli.output.text import format_time
from claude_batch.costs.estimates import sum_estimates
from claude_batch.diff.model import SkippedFile
from claude_batch.errors import ClaudeBatchError
from claude_batch.github_actions.annotations import Annotation, Level
from claude_batch.markdown import escape_block
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.pull_requests.summary import render_submit_summary
from claude_batch.submission.flush import FlushResult
from claude_batch.submission.planner import SubmissionPlan

LEVELS: dict[str, Level] = {"critical": "error", "high": "warning"}


@dataclass
class CiResult:
    """The results of the steps that ran. A field is None if its step did not run."""

    event: str
    notes: list[str] = field(default_factory=list)
    warnings: list[ClaudeBatchError] = field(default_factory=list)
    flush: FlushResult = field(default_factory=FlushResult)
    collection: CollectResult | None = None
    publications: list[PublishResult] = field(default_factory=list)


def ci_document(result: CiResult) -> Json:
    """A step that did not run has no key."""
    document: dict[str, object] = {
        "event": result.event,
        "notes": result.notes,
        "warnings": [select(warning, "problem", "remedy") for warning in result.warnings],
    }
    if result.flush.parts:
        document["flush"] = flush_document(result.flush)
    if result.collection:
        document["collect"] = collect_document(result.collection)
    if result.publications:
        document["publish"] = publish_document(result.publications)
    return document


def ci_text(result: CiResult) -> str:
    lines = [*result.notes]
    lines += [flush_text(result.flush)] if result.flush.parts else []
    lines += [collect_text(result.collection)] if result.collection else []
    lines += [publish_text(result.publications)] if result.publications else []
    lines += [
        f"warning: {warning.problem}\n   help: {warning.remedy}" for warning in result.warnings
    ]
    return "\n".join(lines)


def action_outputs(result: CiResult) -> dict[str, str]:
    """The action's outputs: counts and dollars of this run."""
    tally = (result.collection or CollectResult()).tally
    return {
        "batches": str(len(result.flush.sent)),
        "findings": str(tally.findings),
        "posted": str(sum(publication.posted for publication in result.publications)),
        "usd": format(tally.receipt.usd, "f"),
        "saved-usd": format(tally.receipt.saved_usd, "f"),
    }


def step_summary(result: CiResult) -> str:
    """The Markdown of the step summary."""
    parts = ["## claude-batch", *map(_part_summary, result.flush.parts)]
    parts += [_batch_summary(batch) for batch in result.flush.sent if batch.id]
    if result.collection:
        parts.append(_code_block(collect_text(result.collection)))
    if result.publications:
        parts.append(_code_block(publish_text(result.publications)))
    parts += [escape_block(note) for note in result.notes]
    parts += [
        f"**Warning:** {escape_block(warning.problem)}. {escape_block(warning.remedy)}."
        for warning in result.warnings
    ]
    return "\n\n".join(parts)


def _part_summary(part: SubmissionPlan) -> str:
    return render_submit_summary(
        part.plan.label,
        new=part.new,
        known=part.known,
        waiting=part.waiting,
        left_out=[SkippedFile(file.path, file.reason) for file in part.plan.left_out],
        estimate=sum_estimates(part.estimates) if part.estimates else None,
        steps=part.ladder_steps,
    )


def _batch_summary(batch: SentBatch) -> str:
    until = f" ends or expires by {format_time(batch.expires_at)}" if batch.expires_at else ""
    return (
        f"Batch {batch.id}{until}; most end within an hour. The first collecting run after that "
        f"posts the findings. `claude-batch cancel {batch.id}` cancels it."
    )


def _code_block(untrusted: str) -> str:
    # Nothing in an indented block is Markdown.
    return "\n".join(f"    {line}" for line in untrusted.splitlines())


def annotations(result: CiResult) -> Iterator[Annotation]:
    """Outages as warnings, findings at their lines."""
    for error in result.warnings:
        yield Annotation("warning", f"{error.problem}: {error.remedy}", title="claude-batch")
    for publication in result.publications:
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
