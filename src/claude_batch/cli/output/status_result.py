"""The JSON and the text of `status`, `list` and `show`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal

from claude_batch.batches.status import (
    BatchDetails,
    BatchSummary,
    Details,
    FailedTask,
    Status,
)
from claude_batch.cli.output.flush_result import reasons_document, waiting_text
from claude_batch.cli.output.json_writer import Json, select
from claude_batch.cli.output.text import SHOWN_FILES, finding_line, format_time
from claude_batch.findings.finding import Finding
from claude_batch.formatting import count, dollars
from claude_batch.ledger.events import AnswerRecorded, RequestRecorded
from claude_batch.waiting.queue import WaitingTask


@dataclass(frozen=True)
class StatusReport:
    """The status of each ledger, and what waits in all of them."""

    statuses: Sequence[Status]
    waiting: Sequence[WaitingTask]
    hook_notes: int

    @property
    def failed(self) -> list[FailedTask]:
        """Not those that are sent again without a `retry`."""
        waiting = {item.task.id for item in self.waiting}
        tasks = {task.id: task for status in self.statuses for task in status.failed}
        return [task for task in tasks.values() if task.id not in waiting]

    @property
    def spent_usd(self) -> Decimal:
        return sum((status.spent_usd for status in self.statuses), Decimal(0))

    @property
    def tasks_in_flight(self) -> int:
        return sum(status.pending_tasks for status in self.statuses)


def status_document(report: StatusReport) -> Json:
    """The sums and lists over all ledgers."""
    batches = [batch for status in report.statuses for batch in status.batches]
    requests = sum(batch.requests for batch in batches)
    return {
        "batches": batches,
        "in_flight": {"tasks": report.tasks_in_flight, "requests": requests},
        "waiting": {
            "tasks": len(report.waiting),
            "oldest_at": min((item.plan.at for item in report.waiting), default=None),
            "reasons": reasons_document(report.waiting),
        },
        "pending_tasks": len(report.waiting) + report.tasks_in_flight,
        "failed_tasks": len(report.failed),
        "failed": report.failed,
        "warnings": [warning for status in report.statuses for warning in status.warnings],
        "spent_usd": report.spent_usd,
        "damaged": [damage for status in report.statuses for damage in status.damaged],
        "hook_notes": report.hook_notes,
    }


def status_text(report: StatusReport) -> str:
    failed, pending = report.failed, len(report.waiting) + report.tasks_in_flight
    lines = [batch_line(batch) for status in report.statuses for batch in status.batches]
    lines.append(
        f"{count(pending, 'task')} pending, {len(failed):,} failed, "
        f"{dollars(report.spent_usd)} spent or reserved this month (UTC)"
    )
    lines += [waiting_text(report.waiting)] if report.waiting else []
    if report.hook_notes:
        notes = count(report.hook_notes, "note")
        lines.append(f"{notes} of the hook: `claude-batch submit --queued` sends committed changes")
    lines += [f"warning: {warning}" for status in report.statuses for warning in status.warnings]
    lines += [
        f"failed: {task.path} ({task.kind}, task {task.id[:12]}): {task.reason}"
        for task in failed[:SHOWN_FILES]
    ]
    lines += ["run `claude-batch retry` to retry failed tasks"] if failed else []
    lines += [
        f"damaged, left alone: {damage}" for status in report.statuses for damage in status.damaged
    ]
    return "\n".join(lines)


def batch_line(batch: BatchSummary) -> str:
    return (
        f"{batch.id}  {batch.status}  {format_time(batch.created_at)}  "
        f"{count(batch.requests, 'request')}, {count(batch.tasks, 'task')}"
        + (f"; completed {format_time(batch.completed_at)}" if batch.completed_at else "")
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
