"""The text of `cost`."""

from collections.abc import Sequence

from claude_batch.cli.output.text import spending, table
from claude_batch.costs.forecast import MonthForecast, describe_month
from claude_batch.costs.invoice_check import TOKEN_CLASSES, InvoiceCheck
from claude_batch.costs.spending import EstimateAccuracy, SpendingReport
from claude_batch.formatting import count, dollars


def cost(
    report: SpendingReport, month: MonthForecast, accuracies: Sequence[EstimateAccuracy]
) -> str:
    lines = [spending(report), "", *describe_month(month)]
    if accuracies:
        lines += ["", accuracy(accuracies)]
    return "\n".join(lines)


def accuracy(accuracies: Sequence[EstimateAccuracy]) -> str:
    """The error is relative to the paid dollars. Above zero, the estimate was too high."""
    rows = [
        (
            f"{row.kind}, {row.model}",
            dollars(row.usd_estimated),
            dollars(row.usd),
            "-" if row.error_percent is None else f"{row.error_percent:+,} %",
        )
        for row in accuracies
    ]
    return table([("kind, model", "estimated", "paid", "error"), *rows])


def reconciliation(check: InvoiceCheck) -> str:
    differing = [row for row in check.differences if not row.agrees]
    agreeing = len(check.differences) - len(differing)
    header = ("ledger less report", *(name.replace("_", " ") for name in TOKEN_CLASSES), "dollars")
    rows = [
        (
            f"{row.day} {row.model} {row.tier}",
            *(f"{number:+,}" if number else "0" for number in row.token_differences().values()),
            "unknown" if row.usd is None else dollars(row.usd),
        )
        for row in differing
    ]
    lines = [table([header, *rows])] if rows else []
    lines += [
        f"{agreeing:,} of {count(len(check.differences), 'row')} by day, model and tier agree"
    ]
    if differing:
        usd = "unknown" if check.usd is None else dollars(check.usd)
        lines.append(f"difference at list price: {usd}")
    return "\n".join([*lines, *_notes(check)])


def _notes(check: InvoiceCheck) -> list[str]:
    notes = []
    if check.outside:
        answers = count(check.outside, "answer")
        notes.append(f"{answers} of the ledger left out: the report does not cover their days")
    if check.without_tokens:
        notes.append(
            f"{count(check.without_tokens, 'answer')} of the ledger without recorded tokens"
        )
    if check.has_more:
        notes.append("the usage report has more pages; only its first page was compared")
    return notes
