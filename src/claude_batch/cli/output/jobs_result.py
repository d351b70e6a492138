"""The JSON and the text of the `jobs` commands."""

from collections.abc import Sequence

from claude_batch.cli.output.json_writer import Json, select
from claude_batch.cli.output.text import finding_line, format_time
from claude_batch.formatting import count, dollars
from claude_batch.jobs.feed import JobEvent
from claude_batch.jobs.job import Job
from claude_batch.jobs.listing import JobPage
from claude_batch.jobs.results import JobResults, TaskResult
from claude_batch.jobs.stats import JobStats
from claude_batch.jobs.transitions import JobChangeResult


def job_document(job: Job) -> Json:
    names = ("id", "status", "source", "kind", "kinds", "priority", "tags", "pull_request", "label")
    times = ("created_at", "started_at", "completed_at", "expires_at")
    return select(job, *names, *times, "progress", "usd", "usd_standard")


def job_text(job: Job) -> str:
    """One job with the problems of its tasks."""
    problems = dict.fromkeys(reading.problem for reading in job.readings.values())
    lines = [job_line(job), f"  created {format_time(job.created_at)}"]
    lines += [f"  started {format_time(job.started_at)}"] if job.started_at else []
    lines += [f"  ended {format_time(job.completed_at)}"] if job.completed_at else []
    lines += [f"  expires {format_time(job.expires_at)}"] if job.expires_at else []
    lines += [f"  paid {dollars(job.usd)}, {dollars(job.usd_standard)} at the standard price"]
    return "\n".join(lines + [f"  {problem}" for problem in problems if problem])


def job_line(job: Job) -> str:
    progress = job.progress
    return (
        f"{job.id}  {job.status}  {progress.percent}% of {count(progress.total, 'task')}  "
        f"{dollars(job.usd)}  {job.label}"
    )


def jobs_document(page: JobPage) -> Json:
    items = [job_document(job) for job in page.items]
    return {"items": items, **select(page, "total", "limit", "offset")}


def jobs_text(page: JobPage) -> str:
    lines = [job_line(job) for job in page.items]
    hidden = page.total - len(page.items)
    lines += [f"{count(hidden, 'more job')}: see --limit and --offset"] if hidden else []
    return "\n".join(lines) or "no jobs"


def change_document(result: JobChangeResult) -> Json:
    batches = [{"id": batch, "status": status} for batch, status in result.batches]
    return {**job_document(result.job), "batches": batches}


def change_text(result: JobChangeResult) -> str:
    lines = [job_line(result.job)]
    return "\n".join(lines + [f"{batch}: {status}" for batch, status in result.batches])


def results_document(results: JobResults) -> Json:
    items = [_task_document(item) for item in results.items]
    return {"items": items, **select(results, "succeeded", "failed", "total")}


def _task_document(item: TaskResult) -> Json:
    document = {**select(item, "id", "custom_id", "status", "usage", "usd")}
    if item.status == "completed":
        document["findings"] = [
            {**row.finding.model_dump(), **select(row, "pull_requests", "outcome")}
            for row in item.findings
        ]
    return {**document, "error": item.error} if item.error else document


def results_text(results: JobResults) -> str:
    lines = []
    for item in results.items:
        problem = f": {item.error}" if item.error else ""
        lines.append(f"{item.id[:12]}  {item.status}  {dollars(item.usd)}{problem}")
        lines += [f"  {finding_line(row.finding)}  ({row.outcome})" for row in item.findings]
    lines.append(
        f"{count(results.total, 'task')}: {results.succeeded:,} succeeded, "
        f"{results.failed:,} failed"
    )
    return "\n".join(lines)


def stats_text(stats: JobStats) -> str:
    seconds = stats.seconds
    waits = (
        "no wait is known"
        if seconds.p50 is None or seconds.p90 is None
        else f"waits: {seconds.p50:,.0f} s in the middle, {seconds.p90:,.0f} s for nine in ten"
    )
    tokens = "unknown" if stats.tokens is None else f"{stats.tokens:,}"
    return (
        f"{count(stats.created, 'job')}: {stats.pending:,} pending, "
        f"{stats.processing:,} processing, {stats.completed:,} completed, "
        f"{stats.failed:,} failed, {stats.cancelled:,} cancelled\n"
        f"{count(stats.deduplicated, 'task')} reused; {waits}\n"
        f"{dollars(stats.usd)} paid, {dollars(stats.saved_usd)} saved, tokens: {tokens}"
    )


def event_document(event: JobEvent) -> Json:
    """One line of `jobs events`, and the body of a webhook."""
    data = select(event.data, "repository", "job", "status", "progress", "usd")
    optional = {"pull_request": event.data.pull_request, "url": event.data.url}
    known = {key: value for key, value in optional.items() if value is not None}
    return {**select(event, "type", "timestamp"), "data": {**data, **known}}


def events_document(events: Sequence[JobEvent]) -> Json:
    return {"items": [event_document(event) for event in events], "total": len(events)}


def events_text(events: Sequence[JobEvent]) -> str:
    lines = [
        f"{format_time(event.timestamp)}  {event.type}  {event.data.job}  {event.data.status}  "
        f"{event.data.progress.percent}%"
        for event in events
    ]
    return "\n".join(lines) or "no events"
