"""How results read in a terminal: plain lines, the same on a TTY and in a log."""

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
from claude_batch.github_actions.run import CiResult
from claude_batch.pull_requests.outcomes import Precision
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.submission.planner import SubmitResult

SHOWN_FILES = 20

# Of nine diffs in ten the length misses the tokens by no more than this.
IN = {"history": "", "counted": " (counted)", "length": " (± 15 %)"}

WHY = {
    "verify": "sent for a second look",
    "retry": "asked once more",
    "split": "asked once more, each alone",
}


def estimate(done: SubmitResult) -> str:
    plan, whole = done.plan.plan, sum_estimates(done.plan.estimates)
    rows = [
        f"{plan.label}: {count(plan.new + plan.reused, 'task')}, {plan.reused:,} already known, "
        f"{plan.new:,} new",
        *(f"over budget, reduced by: {step}" for step in done.plan.ladder_steps),
        *_left_out(done),
    ]
    if plan.new:
        rows.append(
            f"estimate from {done.plan.basis}: {count(len(done.plan.estimates), 'request')}, "
            f"about {whole.input_tokens:,} tokens in{IN[done.plan.input_basis]} and "
            f"{whole.output_tokens:,} out, "
            f"{dollars(whole.usd)} (at most {dollars(whole.usd_max)}; "
            f"{dollars(whole.usd_standard)} at standard price)"
        )
    return "\n".join(rows)


def submission(done: SubmitResult) -> str:
    rows = [estimate(done)]
    for sent in done.sent:
        what = f"{count(sent.requests, 'request')}, {count(sent.tasks, 'task')}"
        if sent.id:
            until = f", ends or expires by {_when(sent.expires_at)}" if sent.expires_at else ""
            rows.append(f"sent: batch {sent.id} ({what}){until}")
        else:
            rows.append(f"answered at once, at standard price ({what})")
    if not done.sent:
        rows.append("nothing to send")
    return "\n".join(rows)


def _left_out(done: SubmitResult) -> Iterable[str]:
    left_out = done.plan.plan.left_out
    for out in left_out[:SHOWN_FILES]:
        yield f"left out: {out.path}: {out.reason}"
    if len(left_out) > SHOWN_FILES:
        yield f"left out: {len(left_out) - SHOWN_FILES:,} more files (--format json names all)"


def collection(done: CollectResult) -> str:
    counts = ", ".join(f"{number:,} {name}" for name, number in done.counts().items() if number)
    tally = done.tally
    rows = [f"batch {name}: {status}" for name, status in done.batches]
    rows += [f"note: {note}" for note in done.notes]
    if done.answers:
        rows += [f"answers: {counts}; {count(tally.findings, 'finding')}", *paid(tally.receipt)]
    if tally.refuted:
        rows.append(f"refuted by a second look: {count(tally.refuted, 'finding')}")
    rows += [
        f"{WHY.get(sent.follows or '', 'sent')}: batch {sent.id} "
        f"({count(sent.requests, 'request')})"
        for sent in done.sent
        if sent.id
    ]
    rows += [f"{one.outcome}: {one.error}" for one in tally.failed]
    return "\n".join(rows) if rows else "nothing is open"


def paid(found: Receipt) -> list[str]:
    rows = [
        f"receipt: {dollars(found.usd)} paid, {dollars(found.usd_standard)} at standard price, "
        f"{dollars(found.saved_usd)} saved ({dollars(found.saved_by_batch)} by batching, "
        f"{dollars(found.saved_by_cache)} by caching)",
        f"tokens: {found.input_tokens:,} in, {found.output_tokens:,} out, "
        f"{found.cache_read_tokens:,} read from cache, {found.cache_write_tokens:,} written to it",
    ]
    if found.saved_by_dedupe:
        rows.append(f"reused: answers worth {dollars(found.saved_by_dedupe)} were paid for before")
    if found.unpriced:
        rows.append(f"unknown: {count(found.unpriced, 'answer')} without a known price or usage")
    if found.lost_usd:
        rows.append(f"lost: {describe_double_payment(found.lost_usd)}")
    return rows


def publication(done: Sequence[PublishResult]) -> str:
    return "\n".join(_published(one) for one in done) or "nothing new to post"


def _published(one: PublishResult) -> str:
    dropped = ", ".join(f"{n} {reason}" for reason, n in _tally(one).items())
    rows = [
        f"pull request {one.pull_request}: {one.posted} posted, {one.updated} updated, "
        f"{one.unchanged} unchanged"
        + (f"; not posted: {dropped}" if dropped else "")
        + (f"; waiting for a second look: {one.waiting}" if one.waiting else "")
    ]
    if one.note:
        rows.append(f"  {one.note}")
    if one.preview:
        rows += [
            f"  would post on {fresh.comment.path}:{fresh.comment.line}"
            for fresh in one.preview.create
        ]
    return "\n".join(rows)


def _tally(one: PublishResult) -> Mapping[str, int]:
    tally: dict[str, int] = {}
    for drop in one.dropped:
        tally[drop.reason] = tally.get(drop.reason, 0) + 1
    return tally


def status(done: Sequence[Status]) -> str:
    rows = [batch(row) for one in done for row in one.batches]
    pending, failed = (
        sum(one.pending_tasks for one in done),
        [f for one in done for f in one.failed],
    )
    rows.append(
        f"{count(pending, 'task')} pending, {len(failed):,} failed, "
        f"{dollars(sum((one.spent_usd for one in done), start=Receipt().usd))} spent or reserved "
        "this month (UTC)"
    )
    rows += [f"warning: {warning}" for one in done for warning in one.warnings]
    rows += [
        f"failed: {one.path} ({one.kind}, task {one.id[:12]}): {one.reason}"
        for one in failed[:SHOWN_FILES]
    ]
    rows += ["run `claude-batch retry` to retry failed tasks"] if failed else []
    rows += [f"damaged, left alone: {damage}" for one in done for damage in one.damaged]
    return "\n".join(rows)


def batch(row: BatchSummary) -> str:
    return (
        f"{row.id}  {row.status}  {_when(row.created_at)}  "
        f"{count(row.requests, 'request')}, {count(row.tasks, 'task')}"
        + (f"; not sent: {row.not_sent}" if row.not_sent else "")
    )


def finding(one: Finding, where: str) -> str:
    return f"{one.id}  {where}  {one.severity} {one.category}: {one.title}"


def spot(placed: PlacedFinding) -> str:
    return f"{placed.path}:{placed.line}"


def _when(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def shown(found: Details) -> str:
    if isinstance(found, Finding):
        return f"{finding(found, found.path)}\n{found.body}"
    if isinstance(found, BatchDetails):
        rows = [batch(found.batch)]
    else:
        rows = [f"task {found.task}: {found.status}"]
    for asked, answered in found.requests:
        how = f"{answered.outcome}, {count(answered.findings, 'finding')}" if answered else "open"
        paths = ", ".join(dict.fromkeys(task.path for task in asked.tasks))
        rows.append(f"  request {asked.n} ({asked.kind}, {asked.model}): {how}: {paths}")
        rows += [f"    {answered.error}"] if answered and answered.error else []
    return "\n".join(rows)


def ci(done: CiResult) -> str:
    rows = [*done.notes]
    rows += [submission(done.submission)] if done.submission else []
    rows += [collection(done.collection)] if done.collection else []
    rows += [publication(done.publications)] if done.publications is not None else []
    rows += [f"warning: {one.problem}\n   help: {one.remedy}" for one in done.warnings]
    return "\n".join(rows)


def spending(found: SpendingReport) -> str:
    if not found.groups:
        return "nothing was paid yet"
    heads = (found.group_by, "paid", "standard", "saved", "estimated", "requests")
    rows: list[tuple[str, ...]] = [heads]
    for group in (*found.groups, found.total):
        paid_for = group.receipt
        money = (paid_for.usd_standard, paid_for.saved_usd, group.usd_estimated)
        figures = (format_paid(paid_for.usd, group.unknown), *map(dollars, money))
        rows.append((group.name, *figures, f"{paid_for.requests:,}"))
    return table(rows)


def precision(found: Sequence[Precision]) -> str:
    """Of those that were posted, by what people did with them."""
    heads = ("kind, severity", "posted", "accepted", "rejected", "precision")
    rows = [
        (
            f"{row.kind}, {row.severity}",
            *(f"{number:,}" for number in (row.posted, row.accepted, row.rejected)),
            "-" if row.share is None else f"{row.share:.0%}",
        )
        for row in found
    ]
    return table([heads, *rows])


def table(rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *figures in rows:
        right = (text.rjust(width) for text, width in zip(figures, widths[1:], strict=True))
        lines.append("  ".join([name.ljust(widths[0]), *right]).rstrip())
    return "\n".join(lines)


def score(found: BenchmarkScore, skipped: Mapping[str, str]) -> str:
    rows = [
        f"{count(found.pull_requests, 'pull request')} replayed, {found.expected:,} known findings",
        f"placement: {_percent(found.placement)} of {count(found.findings, 'finding')} have lines",
        f"precision: {_percent(found.precision)} of {count(found.inline, 'comment')} are on the "
        "lines of a known finding",
        f"recall: {_percent(found.recall)} of the known findings have a comment on their lines",
        f"{found.comments_per_pull_request or 0:.1f} comments a pull request",
        f"{found.input_tokens:,} tokens in, {found.output_tokens:,} out, {dollars(found.usd)}",
    ]
    if found.missing_answers:
        rows.append(
            f"{count(found.missing_answers, 'request')} without a recorded answer (--produce asks)"
        )
    rows += [f"skipped: {url}: {why}" for url, why in skipped.items()]
    return "\n".join(rows)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
