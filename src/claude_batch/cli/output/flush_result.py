"""The JSON and the text of `flush`."""

from collections.abc import Sequence
from dataclasses import dataclass

from claude_batch.cli.output.json_writer import Json, select
from claude_batch.cli.output.text import format_time
from claude_batch.costs.estimates import sum_estimates
from claude_batch.errors import BudgetExceeded, ClaudeBatchError
from claude_batch.formatting import count, dollars
from claude_batch.submission.flush import FlushResult
from claude_batch.waiting.queue import WaitingTask, count_reasons


@dataclass(frozen=True)
class FlushReport:
    """The result of a flush, and everything that still waits."""

    result: FlushResult
    waiting: Sequence[WaitingTask]


def flush_report_document(report: FlushReport) -> Json:
    sent = sum(batch.tasks for batch in report.result.sent)
    return {
        **flush_document(report.result),
        "tasks": {"sent": sent, "waiting": len(report.waiting)},
        "reasons": reasons_document(report.waiting),
    }


def flush_report_text(report: FlushReport) -> str:
    waiting = waiting_text(report.waiting)
    return "\n".join(filter(None, [flush_text(report.result), waiting]))


def reasons_document(waiting: Sequence[WaitingTask]) -> list[Json]:
    reasons = count_reasons(waiting)
    return [{"reason": reason.value, "count": number} for reason, number in reasons.items()]


def waiting_text(waiting: Sequence[WaitingTask]) -> str:
    """The number of waiting tasks with their reasons; empty if nothing waits."""
    reasons = [f"{number:,} {reason}" for reason, number in count_reasons(waiting).items()]
    return f"waiting: {count(len(waiting), 'task')} ({', '.join(reasons)})" if waiting else ""


def flush_document(result: FlushResult) -> Json:
    return {
        "batches": [select(batch, "id", "requests", "tasks") for batch in result.sent],
        "tasks": {
            "sent": sum(batch.tasks for batch in result.sent),
            "waiting": sum(part.waiting for part in result.parts),
        },
        "estimate": sum_estimates(
            estimate for part in result.parts for estimate in part.estimates
        ).model_dump(),
        "plans": [
            {
                "job": part.plan.id,
                "source": part.plan.label,
                "new": part.new,
                "known": part.known,
                "waiting": part.waiting,
            }
            for part in result.parts
        ],
        "problems": [
            {"source": label, "problem": error.problem} for label, error in result.problems
        ],
    }


def flush_text(result: FlushResult) -> str:
    lines = [
        f"{part.plan.label}: {count(part.new, 'task')} sent, {part.waiting:,} waiting, "
        f"{part.known:,} already known"
        for part in result.parts
    ]
    lines += [f"{label}: {error.problem}" for label, error in result.problems]
    estimates = [estimate for part in result.parts for estimate in part.estimates]
    for batch in result.sent:
        size = f"{count(batch.requests, 'request')}, {count(batch.tasks, 'task')}"
        until = f", ends or expires by {format_time(batch.expires_at)}" if batch.expires_at else ""
        lines.append(f"sent: batch {batch.id} ({size}){until}" if batch.id else f"answered: {size}")
    if estimates:
        total = sum_estimates(estimates)
        lines.append(f"estimate: {dollars(total.usd)}, at most {dollars(total.usd_max)}")
    return "\n".join(lines) or "nothing was due"


def find_refusal(result: FlushResult) -> ClaudeBatchError | None:
    """The error of a flush that sent nothing: of the budget only if nothing else refused."""
    if result.sent or not result.problems:
        return None
    errors = [error for _, error in result.problems]
    others = [error for error in errors if not isinstance(error, BudgetExceeded)]
    return others[0] if others else errors[0]
