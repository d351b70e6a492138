"""The JSON and the text of `flush`."""

from claude_batch.cli.output.json_writer import Json, select
from claude_batch.cli.output.text import format_time
from claude_batch.costs.estimates import sum_estimates
from claude_batch.formatting import count, dollars
from claude_batch.submission.flush import FlushResult


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
    return "\n".join(lines) if lines else "nothing waits to be sent"
