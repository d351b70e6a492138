"""The JSON and the text of `cost`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from claude_batch.cli.output.json_writer import Json, select
from claude_batch.cli.output.receipt import receipt_document
from claude_batch.cli.output.text import table
from claude_batch.costs.forecast import MonthForecast, describe_month
from claude_batch.costs.invoice_check import TOKEN_CLASSES, InvoiceCheck, InvoiceDifference
from claude_batch.costs.spending import (
    EstimateAccuracy,
    SpendingGroup,
    SpendingReport,
    format_paid,
)
from claude_batch.costs.usage_report import TokenCounts
from claude_batch.formatting import count, dollars


@dataclass(frozen=True)
class CostReport:
    spending: SpendingReport
    month: MonthForecast
    accuracies: Sequence[EstimateAccuracy]


def cost_document(report: CostReport) -> Json:
    """The groups; the totals include the forecast of the month and the accuracy of estimates."""
    totals = {
        **_group_document(report.spending.total),
        "month": {**asdict(report.month), "change_percent": report.month.change_percent},
        "estimates": [
            {**asdict(accuracy), "error_percent": accuracy.error_percent}
            for accuracy in report.accuracies
        ],
    }
    return {
        "groups": [_group_document(group) for group in report.spending.groups],
        "totals": totals,
        "period": select(report.spending, "since", by="group_by"),
    }


def _group_document(group: SpendingGroup) -> Json:
    return {
        **select(group, "name", "usd_estimated", "unknown"),
        "requests": group.receipt.requests,
        **receipt_document(group.receipt),
    }


def cost_text(report: CostReport) -> str:
    lines = [_spending_text(report.spending), "", *describe_month(report.month)]
    lines += ["", _accuracy_text(report.accuracies)] if report.accuracies else []
    return "\n".join(lines)


def _spending_text(report: SpendingReport) -> str:
    if not report.groups:
        return "no costs yet"
    header = (report.group_by, "paid", "standard", "saved", "estimated", "requests")
    lines: list[tuple[str, ...]] = [header]
    for group in (*report.groups, report.total):
        receipt = group.receipt
        money = map(dollars, (receipt.usd_standard, receipt.saved_usd, group.usd_estimated))
        paid = format_paid(receipt.usd, group.unknown)
        lines.append((group.name, paid, *money, f"{receipt.requests:,}"))
    return table(lines)


def _accuracy_text(accuracies: Sequence[EstimateAccuracy]) -> str:
    """The error is relative to the paid dollars. Above zero, the estimate was too high."""
    lines = [
        (
            f"{accuracy.kind}, {accuracy.model}",
            dollars(accuracy.usd_estimated),
            dollars(accuracy.usd),
            "-" if accuracy.error_percent is None else f"{accuracy.error_percent:+,} %",
        )
        for accuracy in accuracies
    ]
    return table([("kind, model", "estimated", "paid", "error"), *lines])


def invoice_document(check: InvoiceCheck) -> Json:
    return {
        "differences": [_difference_document(difference) for difference in check.differences],
        **select(check, "usd", "outside", "has_more", unsaid="without_tokens"),
    }


def _difference_document(difference: InvoiceDifference) -> Json:
    return {
        **select(difference, "model", "agrees", "usd", date="day", service_tier="tier"),
        "ledger": _tokens_document(difference.ledger),
        "report": _tokens_document(difference.report),
    }


def _tokens_document(tokens: TokenCounts) -> Json:
    return {f"{name}_tokens": getattr(tokens, name) for name in TOKEN_CLASSES}


def _difference_row(difference: InvoiceDifference) -> tuple[str, ...]:
    tokens = difference.token_differences().values()
    return (
        f"{difference.day} {difference.model} {difference.tier}",
        *(f"{number:+,}" if number else "0" for number in tokens),
        "unknown" if difference.usd is None else dollars(difference.usd),
    )


def invoice_text(check: InvoiceCheck) -> str:
    differing = [difference for difference in check.differences if not difference.agrees]
    agreeing = len(check.differences) - len(differing)
    header = ("ledger less report", *(name.replace("_", " ") for name in TOKEN_CLASSES), "dollars")
    lines = [table([header, *map(_difference_row, differing)])] if differing else []
    lines.append(
        f"{agreeing:,} of {count(len(check.differences), 'row')} by day, model and tier agree"
    )
    if differing:
        usd = "unknown" if check.usd is None else dollars(check.usd)
        lines.append(f"difference at list price: {usd}")
    if check.outside:
        answers = count(check.outside, "answer")
        lines.append(f"{answers} of the ledger left out: the report does not cover their days")
    if check.without_tokens:
        answers = count(check.without_tokens, "answer")
        lines.append(f"{answers} of the ledger without recorded tokens")
    if check.has_more:
        lines.append("the usage report has more pages; only its first page was compared")
    return "\n".join(lines)
