"""The JSON documents of `--format json`. Scripts rely on these keys."""

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
from claude_batch.ledger.repair import RepairResult
from claude_batch.pull_requests.outcomes import Precision
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.sandbox.demo.run import DemoResult
from claude_batch.submission.planner import SubmitResult

Json = Mapping[str, object]


def submission(result: SubmitResult) -> Json:
    return {"batches": _batches(result.sent), **estimate(result)}


def _batches(sent: Iterable[SentBatch]) -> list[Json]:
    return [{"id": batch.id, "requests": batch.requests, "tasks": batch.tasks} for batch in sent]


def estimate(result: SubmitResult) -> Json:
    plan, cost = result.plan.plan, sum_estimates(result.plan.estimates)
    return {
        "tasks": {"planned": plan.new + plan.reused, "known": plan.reused, "new": plan.new},
        "requests": len(result.plan.estimates),
        "estimate": {
            "usd": cost.usd,
            "usd_standard": cost.usd_standard,
            "usd_max": cost.usd_max,
            "input_tokens": cost.input_tokens,
            "output_tokens": cost.output_tokens,
            "basis": result.plan.basis,
            "input_basis": result.plan.input_basis,
        },
        "ladder": list(result.plan.ladder_steps),
        "source": plan.label,
        "lane": result.lane,
        "left_out": plan.left_out,
    }


def collection(result: CollectResult) -> Json:
    return {
        "batches": [{"id": name, "status": status} for name, status in result.batches],
        "answers": result.counts(),
        "findings": result.tally.findings,
        "refuted": result.tally.refuted,
        "submitted": [
            {**row, "follows": sent.follows}
            for row, sent in zip(_batches(result.sent), result.sent, strict=True)
        ],
        "receipt": receipt_of(result.receipt),
        "notes": list(result.notes),
    }


def submission_and_collection(result: SubmitResult, collected: CollectResult) -> Json:
    return {**submission(result), "collect": collection(collected)}


def receipt_of(receipt: Receipt) -> Json:
    return {
        "usd": receipt.usd,
        "usd_standard": receipt.usd_standard,
        "saved_usd": receipt.saved_usd,
        "saved_by": {
            "batch": receipt.saved_by_batch,
            "cache": receipt.saved_by_cache,
            "dedupe": receipt.saved_by_dedupe,
        },
        "input_tokens": receipt.input_tokens,
        "output_tokens": receipt.output_tokens,
        "cache_read_tokens": receipt.cache_read_tokens,
        "cache_write_tokens": receipt.cache_write_tokens,
        "models": list(receipt.models),
        "unpriced": receipt.unpriced,
        "lost_usd": receipt.lost_usd,
    }


def publication(results: Sequence[PublishResult]) -> Json:
    """The totals, then each pull request."""
    return {
        "pull_request": results[0].pull_request if len(results) == 1 else None,
        **_counts(results),
        "pull_requests": [
            {
                "pull_request": result.pull_request,
                **_counts([result]),
                "receipt": receipt_of(result.receipt),
                "note": result.note,
            }
            for result in results
        ],
    }


def _counts(results: Sequence[PublishResult]) -> Json:
    reasons = Counter(drop.reason for result in results for drop in result.dropped)
    return {
        "posted": sum(result.posted for result in results),
        "updated": sum(result.updated for result in results),
        "unchanged": sum(result.unchanged for result in results),
        "waiting": sum(result.waiting for result in results),
        "dropped": [
            {"reason": reason, "count": number} for reason, number in sorted(reasons.items())
        ],
    }


def status(statuses: Sequence[Status]) -> Json:
    return {
        "batches": [batch(summary) for status in statuses for summary in status.batches],
        "pending_tasks": sum(status.pending_tasks for status in statuses),
        "failed_tasks": sum(len(status.failed) for status in statuses),
        "failed": [task for status in statuses for task in status.failed],
        "warnings": [warning for status in statuses for warning in status.warnings],
        "spent_usd": sum((status.spent_usd for status in statuses), Decimal(0)),
        "damaged": [damage for status in statuses for damage in status.damaged],
    }


def batch(summary: BatchSummary) -> Json:
    return asdict(summary)


def items(rows: Sequence[object]) -> Json:
    return {"items": list(rows), "total": len(rows)}


def precision(row: Precision) -> Json:
    """`precision` is null if nobody has judged a finding of this kind and severity."""
    return {
        "kind": row.kind,
        "severity": row.severity,
        "posted": row.posted,
        "accepted": row.accepted,
        "rejected": row.rejected,
        "precision": row.share,
    }


def shown(details: Details) -> Json:
    """`type` is batch, task or finding."""
    if isinstance(details, Finding):
        return {"type": "finding", **details.model_dump()}
    requests = [
        {
            "intent": request.intent,
            "n": request.n,
            "kind": request.kind,
            "model": request.model,
            "pull_request": request.pr,
            "tasks": [{"id": task.id, "path": task.path} for task in request.tasks],
            "outcome": answer.outcome if answer else None,
            "error": answer.error if answer else None,
            "usd": answer.usd if answer else None,
            "findings": answer.findings if answer else 0,
        }
        for request, answer in details.requests
    ]
    if isinstance(details, BatchDetails):
        return {"type": "batch", **batch(details.batch), "asked": requests}
    return {"type": "task", "id": details.task, "standing": details.status, "asked": requests}


def repair(result: RepairResult) -> Json:
    return {
        "ref": result.ref,
        "brought_back": result.restored_commit,
        "put_back": result.restored_files,
        "lost": [{"path": loss.path, "said": loss.consequence} for loss in result.lost],
    }


def demo(result: DemoResult) -> Json:
    return {
        "submit": submission(result.submission),
        "collect": collection(result.collection),
        "publish": publication([result.published]),
        "findings": [
            {
                "path": finding.path,
                "line": finding.line,
                "side": finding.side,
                **finding.finding.model_dump(),
            }
            for finding in result.published.placed
        ],
    }


def spending(report: SpendingReport) -> Json:
    return {
        "groups": [_group(group) for group in report.groups],
        "totals": _group(report.total),
        "period": {"by": report.group_by, "since": report.since},
    }


def _group(group: SpendingGroup) -> Json:
    return {
        "name": group.name,
        "requests": group.receipt.requests,
        "usd_estimated": group.usd_estimated,
        "unknown": group.unknown,
        **receipt_of(group.receipt),
    }


def score(score: BenchmarkScore) -> Json:
    """Shares of nothing are null."""
    return {
        "pull_requests": score.pull_requests,
        "golden": score.expected,
        "findings": score.findings,
        "placed": score.placed,
        "placement": score.placement,
        "comments": score.inline,
        "precision": score.precision,
        "recall": score.recall,
        "comments_per_pull_request": score.comments_per_pull_request,
        "input_tokens": score.input_tokens,
        "output_tokens": score.output_tokens,
        "usd": score.usd,
        "missing_answers": score.missing_answers,
    }
