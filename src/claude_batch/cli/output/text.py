"""Results as text: plain lines, the same in a terminal and in a log."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from claude_batch.batches.collect_result import CollectResult
from claude_batch.batches.status import BatchDetails, BatchSummary, Details, Status
from claude_batch.benchmark.cases import BenchmarkScore
from claude_batch.costs.estimates import sum_estimates
from claude_batch.costs.receipts import Receipt, describe_double_payment
from claude_batch.costs.spending import SpendingReport, format_paid
from claude_batch.findings.finding import Finding
from claude_batch.findings.placement import PlacedFinding
from claude_batch.formatting import count, dollars
from claude_batch.pull_requests.outcomes import Precision
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.submission.planner import SubmitResult

SHOWN_FILES = 20

# For nine in ten diffs the estimate by length is off by at most this much.
INPUT_BASIS = {"history": "", "counted": " (counted)", "length": " (± 15 %)"}

PURPOSE = {
    "verify": "sent for a second look",
    "retry": "sent again",
    "split": "sent again, one task per request",
}


def estimate(result: SubmitResult) -> str:
    plan, cost = result.plan.plan, sum_estimates(result.plan.estimates)
    lines = [
        f"{plan.label}: {count(plan.new + plan.reused, 'task')}, {plan.reused:,} already known, "
        f"{plan.new:,} new",
        *(f"over budget, reduced by: {step}" for step in result.plan.ladder_steps),
        *_left_out(result),
    ]
    if plan.new:
        lines.append(
            f"estimate from {result.plan.basis}: {count(len(result.plan.estimates), 'request')}, "
            f"about {cost.input_tokens:,} tokens in{INPUT_BASIS[result.plan.input_basis]} and "
            f"{cost.output_tokens:,} out, "
            f"{dollars(cost.usd)} (at most {dollars(cost.usd_max)}; "
            f"{dollars(cost.usd_standard)} at standard price)"
        )
    return "\n".join(lines)


def submission(result: SubmitResult) -> str:
    lines = [estimate(result)]
    for sent in result.sent:
        size = f"{count(sent.requests, 'request')}, {count(sent.tasks, 'task')}"
        if sent.id:
            until = f", ends or expires by {_time(sent.expires_at)}" if sent.expires_at else ""
            lines.append(f"sent: batch {sent.id} ({size}){until}")
        else:
            lines.append(f"answered at once, at standard price ({size})")
    if not result.sent:
        lines.append("nothing to send")
    return "\n".join(lines)


def _left_out(result: SubmitResult) -> Iterable[str]:
    left_out = result.plan.plan.left_out
    for file in left_out[:SHOWN_FILES]:
        yield f"left out: {file.path}: {file.reason}"
    if len(left_out) > SHOWN_FILES:
        yield f"left out: {len(left_out) - SHOWN_FILES:,} more files (--format json names all)"


def collection(result: CollectResult) -> str:
    counts = ", ".join(f"{number:,} {name}" for name, number in result.counts().items() if number)
    tally = result.tally
    lines = [f"batch {name}: {status}" for name, status in result.batches]
    lines += [f"note: {note}" for note in result.notes]
    if result.answers:
        lines += [f"answers: {counts}; {count(tally.findings, 'finding')}", *paid(tally.receipt)]
    if tally.refuted:
        lines.append(f"refuted by a second look: {count(tally.refuted, 'finding')}")
    lines += [
        f"{PURPOSE.get(sent.follows or '', 'sent')}: batch {sent.id} "
        f"({count(sent.requests, 'request')})"
        for sent in result.sent
        if sent.id
    ]
    lines += [f"{answer.outcome}: {answer.error}" for answer in tally.failed]
    return "\n".join(lines) if lines else "nothing is open"


def paid(receipt: Receipt) -> list[str]:
    lines = [
        f"receipt: {dollars(receipt.usd)} paid, {dollars(receipt.usd_standard)} at standard price, "
        f"{dollars(receipt.saved_usd)} saved ({dollars(receipt.saved_by_batch)} by batching, "
        f"{dollars(receipt.saved_by_cache)} by caching)",
        f"tokens: {receipt.input_tokens:,} in, {receipt.output_tokens:,} out, "
        f"{receipt.cache_read_tokens:,} read from cache, "
        f"{receipt.cache_write_tokens:,} written to it",
    ]
    if receipt.saved_by_dedupe:
        lines.append(
            f"reused: answers worth {dollars(receipt.saved_by_dedupe)} were paid for before"
        )
    if receipt.unpriced:
        lines.append(f"unknown: {count(receipt.unpriced, 'answer')} without a known price or usage")
    if receipt.lost_usd:
        lines.append(f"lost: {describe_double_payment(receipt.lost_usd)}")
    return lines


def publication(results: Sequence[PublishResult]) -> str:
    return "\n".join(_publication_of(result) for result in results) or "nothing new to post"


def _publication_of(result: PublishResult) -> str:
    dropped = ", ".join(f"{number} {reason}" for reason, number in _count_drops(result).items())
    lines = [
        f"pull request {result.pull_request}: {result.posted} posted, {result.updated} updated, "
        f"{result.unchanged} unchanged"
        + (f"; not posted: {dropped}" if dropped else "")
        + (f"; waiting for a second look: {result.waiting}" if result.waiting else "")
    ]
    if result.note:
        lines.append(f"  {result.note}")
    if result.preview:
        lines += [
            f"  would post on {new_comment.comment.path}:{new_comment.comment.line}"
            for new_comment in result.preview.create
        ]
    return "\n".join(lines)


def _count_drops(result: PublishResult) -> Mapping[str, int]:
    tally: dict[str, int] = {}
    for drop in result.dropped:
        tally[drop.reason] = tally.get(drop.reason, 0) + 1
    return tally


def status(statuses: Sequence[Status]) -> str:
    failed = [task for status in statuses for task in status.failed]
    pending = sum(status.pending_tasks for status in statuses)
    spent = sum((status.spent_usd for status in statuses), start=Receipt().usd)
    lines = [batch(summary) for status in statuses for summary in status.batches]
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
    lines += [f"damaged, left alone: {line}" for status in statuses for line in status.damaged]
    return "\n".join(lines)


def batch(summary: BatchSummary) -> str:
    return (
        f"{summary.id}  {summary.status}  {_time(summary.created_at)}  "
        f"{count(summary.requests, 'request')}, {count(summary.tasks, 'task')}"
        + (f"; not sent: {summary.not_sent}" if summary.not_sent else "")
    )


def finding(found: Finding, where: str) -> str:
    return f"{found.id}  {where}  {found.severity} {found.category}: {found.title}"


def location(placed: PlacedFinding) -> str:
    return f"{placed.path}:{placed.line}"


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def shown(details: Details) -> str:
    if isinstance(details, Finding):
        return f"{finding(details, details.path)}\n{details.body}"
    if isinstance(details, BatchDetails):
        lines = [batch(details.batch)]
    else:
        lines = [f"task {details.task}: {details.status}"]
    for request, answer in details.requests:
        outcome = f"{answer.outcome}, {count(answer.findings, 'finding')}" if answer else "open"
        paths = ", ".join(dict.fromkeys(task.path for task in request.tasks))
        lines.append(f"  request {request.n} ({request.kind}, {request.model}): {outcome}: {paths}")
        lines += [f"    {answer.error}"] if answer and answer.error else []
    return "\n".join(lines)


def spending(report: SpendingReport) -> str:
    if not report.groups:
        return "no costs yet"
    header = (report.group_by, "paid", "standard", "saved", "estimated", "requests")
    rows: list[tuple[str, ...]] = [header]
    for group in (*report.groups, report.total):
        receipt = group.receipt
        money = (receipt.usd_standard, receipt.saved_usd, group.usd_estimated)
        figures = (format_paid(receipt.usd, group.unknown), *map(dollars, money))
        rows.append((group.name, *figures, f"{receipt.requests:,}"))
    return table(rows)


def precision(precisions: Sequence[Precision]) -> str:
    """A table of posted findings by kind and severity, with what people did with them."""
    header = ("kind, severity", "posted", "accepted", "rejected", "precision")
    rows = [
        (
            f"{row.kind}, {row.severity}",
            *(f"{number:,}" for number in (row.posted, row.accepted, row.rejected)),
            "-" if row.share is None else f"{row.share:.0%}",
        )
        for row in precisions
    ]
    return table([header, *rows])


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *figures in rows:
        right = (text.rjust(width) for text, width in zip(figures, widths[1:], strict=True))
        lines.append("  ".join([name.ljust(widths[0]), *right]).rstrip())
    return "\n".join(lines)


def score(score: BenchmarkScore, skipped: Mapping[str, str]) -> str:
    lines = [
        f"{count(score.pull_requests, 'pull request')} replayed, {score.expected:,} known findings",
        f"placement: {_percent(score.placement)} of {count(score.findings, 'finding')} have lines",
        f"precision: {_percent(score.precision)} of {count(score.inline, 'comment')} are on the "
        "lines of a known finding",
        f"recall: {_percent(score.recall)} of the known findings have a comment on their lines",
        f"{score.comments_per_pull_request or 0:.1f} comments a pull request",
        f"{score.input_tokens:,} tokens in, {score.output_tokens:,} out, {dollars(score.usd)}",
    ]
    if score.missing_answers:
        lines.append(
            f"{count(score.missing_answers, 'request')} without a recorded answer (--produce asks)"
        )
    lines += [f"skipped: {url}: {reason}" for url, reason in skipped.items()]
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
