"""What commands print with `--format json`. Scripts of other people rely on these keys."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal

from claude_batch.batches.batching import SentBatch
from claude_batch.batches.collect_result import CollectResult
from claude_batch.batches.status import BatchDetails, BatchSummary, Details, Status
from claude_batch.benchmark.cases import BenchmarkScore
from claude_batch.costs.estimates import sum_estimates
from claude_batch.costs.receipts import Receipt
from claude_batch.costs.spending import SpendingGroup, SpendingReport
from claude_batch.findings.finding import Finding
from claude_batch.github_actions.run import CiResult
from claude_batch.pull_requests.outcomes import Precision
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.sandbox.demo.run import DemoResult
from claude_batch.submission.planner import SubmitResult

Json = Mapping[str, object]


def submission(done: SubmitResult) -> Json:
    return {"batches": _batches(done.sent), **estimate(done)}


def _batches(sent: Iterable[SentBatch]) -> list[Json]:
    return [{"id": one.id, "requests": one.requests, "tasks": one.tasks} for one in sent]


def estimate(done: SubmitResult) -> Json:
    plan, whole = done.plan.plan, sum_estimates(done.plan.estimates)
    return {
        "tasks": {"planned": plan.new + plan.reused, "known": plan.reused, "new": plan.new},
        "requests": len(done.plan.estimates),
        "estimate": {
            "usd": whole.usd,
            "usd_standard": whole.usd_standard,
            "usd_max": whole.usd_max,
            "input_tokens": whole.input_tokens,
            "output_tokens": whole.output_tokens,
            "basis": done.plan.basis,
            "input_basis": done.plan.input_basis,
        },
        "ladder": list(done.plan.ladder_steps),
        "source": plan.label,
        "lane": done.lane,
        "left_out": plan.left_out,
    }


def collection(done: CollectResult) -> Json:
    return {
        "batches": [{"id": name, "status": status} for name, status in done.batches],
        "answers": done.counts(),
        "findings": done.tally.findings,
        "refuted": done.tally.refuted,
        "submitted": [
            {**row, "follows": sent.follows}
            for row, sent in zip(_batches(done.sent), done.sent, strict=True)
        ],
        "receipt": receipt_of(done.receipt),
        "notes": list(done.notes),
    }


def submission_and_collection(done: SubmitResult, collected: CollectResult) -> Json:
    return {**submission(done), "collect": collection(collected)}


def receipt_of(found: Receipt) -> Json:
    return {
        "usd": found.usd,
        "usd_standard": found.usd_standard,
        "saved_usd": found.saved_usd,
        "saved_by": {
            "batch": found.saved_by_batch,
            "cache": found.saved_by_cache,
            "dedupe": found.saved_by_dedupe,
        },
        "input_tokens": found.input_tokens,
        "output_tokens": found.output_tokens,
        "cache_read_tokens": found.cache_read_tokens,
        "cache_write_tokens": found.cache_write_tokens,
        "models": list(found.models),
        "unpriced": found.unpriced,
        "lost_usd": found.lost_usd,
    }


def publication(done: Sequence[PublishResult]) -> Json:
    """Totals over the pull requests, then each one."""
    return {
        "pull_request": done[0].pull_request if len(done) == 1 else None,
        **_counts(done),
        "pull_requests": [
            {
                "pull_request": one.pull_request,
                **_counts([one]),
                "receipt": receipt_of(one.receipt),
                "note": one.note,
            }
            for one in done
        ],
    }


def _counts(done: Sequence[PublishResult]) -> Json:
    reasons = Counter(drop.reason for one in done for drop in one.dropped)
    return {
        "posted": sum(one.posted for one in done),
        "updated": sum(one.updated for one in done),
        "unchanged": sum(one.unchanged for one in done),
        "waiting": sum(one.waiting for one in done),
        "dropped": [{"reason": why, "count": count} for why, count in sorted(reasons.items())],
    }


def status(done: Sequence[Status]) -> Json:
    return {
        "batches": [batch(row) for one in done for row in one.batches],
        "pending_tasks": sum(one.pending_tasks for one in done),
        "failed_tasks": sum(len(one.failed) for one in done),
        "failed": [task for one in done for task in one.failed],
        "warnings": [warning for one in done for warning in one.warnings],
        "spent_usd": sum((one.spent_usd for one in done), Decimal(0)),
        "damaged": [damage for one in done for damage in one.damaged],
    }


def batch(row: BatchSummary) -> Json:
    return asdict(row)


def items(rows: Sequence[object]) -> Json:
    return {"items": list(rows), "total": len(rows)}


def precision(row: Precision) -> Json:
    """`precision` is null where nobody has judged a finding of that kind and severity."""
    return {
        "kind": row.kind,
        "severity": row.severity,
        "posted": row.posted,
        "accepted": row.accepted,
        "rejected": row.rejected,
        "precision": row.share,
    }


def shown(found: Details) -> Json:
    """`type` is batch, task or finding; the rest is that thing."""
    if isinstance(found, Finding):
        return {"type": "finding", **found.model_dump()}
    requests = [
        {
            "intent": asked.intent,
            "n": asked.n,
            "kind": asked.kind,
            "model": asked.model,
            "pull_request": asked.pr,
            "tasks": [{"id": task.id, "path": task.path} for task in asked.tasks],
            "outcome": answered.outcome if answered else None,
            "error": answered.error if answered else None,
            "usd": answered.usd if answered else None,
            "findings": answered.findings if answered else 0,
        }
        for asked, answered in found.requests
    ]
    if isinstance(found, BatchDetails):
        return {"type": "batch", **batch(found.batch), "asked": requests}
    return {"type": "task", "id": found.task, "standing": found.status, "asked": requests}


def ci(done: CiResult) -> Json:
    document: dict[str, object] = {
        "event": done.event,
        "notes": done.notes,
        "warnings": [{"problem": one.problem, "remedy": one.remedy} for one in done.warnings],
    }
    if done.submission:
        document["submit"] = submission(done.submission)
    if done.collection:
        document["collect"] = collection(done.collection)
    if done.publications is not None:
        document["publish"] = publication(done.publications)
    return document


def demo(trip: DemoResult) -> Json:
    return {
        "submit": submission(trip.submission),
        "collect": collection(trip.collection),
        "publish": publication([trip.published]),
        "findings": [
            {"path": one.path, "line": one.line, "side": one.side, **one.finding.model_dump()}
            for one in trip.published.placed
        ],
    }


def spending(found: SpendingReport) -> Json:
    return {
        "groups": [_group(group) for group in found.groups],
        "totals": _group(found.total),
        "period": {"by": found.group_by, "since": found.since},
    }


def _group(group: SpendingGroup) -> Json:
    return {
        "name": group.name,
        "requests": group.receipt.requests,
        "usd_estimated": group.usd_estimated,
        "unknown": group.unknown,
        **receipt_of(group.receipt),
    }


def score(found: BenchmarkScore) -> Json:
    """Shares are null where there is nothing to take a share of."""
    return {
        "pull_requests": found.pull_requests,
        "golden": found.expected,
        "findings": found.findings,
        "placed": found.placed,
        "placement": found.placement,
        "comments": found.inline,
        "precision": found.precision,
        "recall": found.recall,
        "comments_per_pull_request": found.comments_per_pull_request,
        "input_tokens": found.input_tokens,
        "output_tokens": found.output_tokens,
        "usd": found.usd,
        "missing_answers": found.missing_answers,
    }
