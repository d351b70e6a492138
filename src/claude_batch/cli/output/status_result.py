"""The JSON and the text of `status`, `list` and `show`."""

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal

from claude_batch.batches.status import BatchDetails, BatchSummary, Details, Status
from claude_batch.cli.output.json_writer import Json, select
from claude_batch.cli.output.text import SHOWN_FILES, finding_line, format_time
from claude_batch.findings.finding import Finding
from claude_batch.formatting import count, dollars
from claude_batch.ledger.events import AnswerRecorded, RequestRecorded


def status_document(statuses: Sequence[Status]) -> Json:
    """The sums and lists over all ledgers."""
    failed = [task for status in statuses for task in status.failed]
    return {
        "batches": [batch for status in statuses for batch in status.batches],
        "pending_tasks": sum(status.pending_tasks for status in statuses),
        "failed_tasks": len(failed),
        "failed": failed,
        "warnings": [warning for status in statuses for warning in status.warnings],
        "spent_usd": sum((status.spent_usd for status in statuses), Decimal(0)),
        "damaged": [damage for status in statuses for damage in status.damaged],
    }


def status_text(statuses: Sequence[Status]) -> str:
    failed = [task for status in statuses for task in status.failed]
    pending = sum(status.pending_tasks for status in statuses)
    spent = sum((status.spent_usd for status in statuses), Decimal(0))
    lines = [batch_line(batch) for status in statuses for batch in status.batches]
    lines.append(
        f"{count(pending, 'task')} pending, {len(failed):,} failed, "
        f"{dollars(spent)} spent or reserved this month (UTC)"
    )
    lines += [f"warning: {warning}" for status in statuses for warning in status.warnings]
    lines += [
        f"failed: {task.path} ({task.kind}, task {task.id[:12]}): {task.reason}"
        for task in failed[:SHOWN_FILES]
    ]
    lines += ["run `claude-batch retry` to retry failed tasks"] if failed else []
    lines += [f"damaged, left alone: {damage}" for status in statuses for damage in status.damaged]
    return "\n".join(lines)


def batch_line(batch: BatchSummary) -> str:
    return (
        f"{batch.id}  {batch.status}  {format_time(batch.created_at)}  "
        f"{count(batch.requests, 'request')}, {count(batch.tasks, 'task')}"
        + (f"; not sent: {batch.not_sent}" if batch.not_sent else "")
    )


def batches_text(batches: Sequence[BatchSummary]) -> str:
    return "\n".join(map(batch_line, batches)) or "no batches"


def details_document(details: Details) -> Json:
    """`type` is batch, task or finding."""
    if isinstance(details, Finding):
        return {"type": "finding", **details.model_dump()}
    requests = [_request_document(request, answer) for request, answer in details.requests]
    if isinstance(details, BatchDetails):
        return {"type": "batch", **asdict(details.batch), "asked": requests}
    return {"type": "task", **select(details, id="task", standing="status"), "asked": requests}


def _request_document(request: RequestRecorded, answer: AnswerRecorded | None) -> Json:
    return {
        **select(request, "intent", "n", "kind", "model", pull_request="pr"),
        "tasks": [select(task, "id", "path") for task in request.tasks],
        "outcome": answer.outcome if answer else None,
        "error": answer.error if answer else None,
        "usd": answer.usd if answer else None,
        "findings": answer.findings if answer else 0,
    }


def details_text(details: Details) -> str:
    if isinstance(details, Finding):
        return f"{finding_line(details)}\n{details.body}"
    if isinstance(details, BatchDetails):
        lines = [batch_line(details.batch)]
    else:
        lines = [f"task {details.task}: {details.status}"]
    for request, answer in details.requests:
        outcome = f"{answer.outcome}, {count(answer.findings, 'finding')}" if answer else "open"
        paths = ", ".join(dict.fromkeys(task.path for task in request.tasks))
        lines.append(f"  request {request.n} ({request.kind}, {request.model}): {outcome}: {paths}")
        lines += [f"    {answer.error}"] if answer and answer.error else []
    return "\n".join(lines)
