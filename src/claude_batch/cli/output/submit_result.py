"""The JSON and the text of `submit` and `estimate`."""

from collections.abc import Iterator

from claude_batch.cli.output.json_writer import Json, select
from claude_batch.cli.output.text import SHOWN_FILES, format_time
from claude_batch.costs.estimates import sum_estimates
from claude_batch.formatting import count, dollars
from claude_batch.submission.planner import SubmitResult

# For nine in ten diffs the estimate by length is off by at most this much.
INPUT_BASIS = {"history": "", "counted": " (counted)", "length": " (± 15 %)"}


def submit_document(result: SubmitResult) -> Json:
    batches = [select(batch, "id", "requests", "tasks") for batch in result.sent]
    return {"job": result.plan.plan.id, "batches": batches, **estimate_document(result)}


def submit_text(result: SubmitResult) -> str:
    lines = [estimate_text(result)]
    for batch in result.sent:
        size = f"{count(batch.requests, 'request')}, {count(batch.tasks, 'task')}"
        if batch.id:
            end = batch.expires_at
            until = f", ends or expires by {format_time(end)}" if end else ""
            lines.append(f"sent: batch {batch.id} ({size}){until}")
        else:
            lines.append(f"answered at once, at standard price ({size})")
    return "\n".join(lines if result.sent else [*lines, "nothing to send"])


def estimate_document(result: SubmitResult) -> Json:
    plan, estimates = result.plan.plan, result.plan.estimates
    return {
        "tasks": {
            "planned": len(plan.task_ids),
            **select(result.plan, "known", "new", "waiting"),
        },
        "requests": len(estimates),
        "estimate": {
            **sum_estimates(estimates).model_dump(),
            **select(result.plan, "basis", "input_basis"),
        },
        "ladder": result.plan.ladder_steps,
        "source": plan.label,
        "lane": result.lane,
        "left_out": plan.left_out,
    }


def estimate_text(result: SubmitResult) -> str:
    part, cost = result.plan, sum_estimates(result.plan.estimates)
    waiting = f", {part.waiting:,} waiting" if part.waiting else ""
    lines = [
        f"{part.plan.label}: {count(len(part.plan.task_ids), 'task')}, "
        f"{part.known:,} already known, {part.new:,} new{waiting}",
        *(f"over budget, reduced by: {step}" for step in result.plan.ladder_steps),
        *_left_out(result),
    ]
    if part.new:
        lines.append(
            f"estimate from {result.plan.basis}: {count(len(result.plan.estimates), 'request')}, "
            f"about {cost.input_tokens:,} tokens in{INPUT_BASIS[result.plan.input_basis]} and "
            f"{cost.output_tokens:,} out, "
            f"{dollars(cost.usd)} (at most {dollars(cost.usd_max)}; "
            f"{dollars(cost.usd_standard)} at standard price)"
        )
    return "\n".join(lines)


def _left_out(result: SubmitResult) -> Iterator[str]:
    left_out = result.plan.plan.left_out
    for file in left_out[:SHOWN_FILES]:
        yield f"left out: {file.path}: {file.reason}"
    if len(left_out) > SHOWN_FILES:
        yield f"left out: {len(left_out) - SHOWN_FILES:,} more files (--format json names all)"
