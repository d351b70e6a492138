"""How `cost` reads in a terminal."""

from collections.abc import Sequence

from claude_batch.cli.output.text import spending, table
from claude_batch.costs.forecast import MonthForecast, describe_month
from claude_batch.costs.invoice_check import TOKEN_CLASSES, InvoiceCheck
from claude_batch.costs.spending import EstimateAccuracy, SpendingReport
from claude_batch.formatting import count, dollars


def cost(
    found: SpendingReport, running: MonthForecast, accurate: Sequence[EstimateAccuracy]
) -> str:
    rows = [spending(found), "", *describe_month(running)]
    if accurate:
        rows += ["", accuracy(accurate)]
    return "\n".join(rows)


def accuracy(found: Sequence[EstimateAccuracy]) -> str:
    """The error is of what was paid: above zero the estimate was too high."""
    rows = [
        (
            f"{one.kind}, {one.model}",
            dollars(one.usd_estimated),
            dollars(one.usd),
            "-" if one.error_percent is None else f"{one.error_percent:+,} %",
        )
        for one in found
    ]
    return table([("kind, model", "estimated", "paid", "error"), *rows])


def reconciliation(found: InvoiceCheck) -> str:
    differing = [row for row in found.differences if not row.agrees]
    agreeing = len(found.differences) - len(differing)
    heads = ("ledger less report", *(name.replace("_", " ") for name in TOKEN_CLASSES), "dollars")
    rows = [
        (
            f"{row.day} {row.model} {row.tier}",
            *(f"{number:+,}" if number else "0" for number in row.token_differences().values()),
            "unknown" if row.usd is None else dollars(row.usd),
        )
        for row in differing
    ]
    said = [table([heads, *rows])] if rows else []
    said += [f"{agreeing:,} of {count(len(found.differences), 'row')} by day, model and tier agree"]
    if differing:
        usd = "unknown" if found.usd is None else dollars(found.usd)
        said.append(f"difference at list price: {usd}")
    return "\n".join([*said, *_notes(found)])


def _notes(found: InvoiceCheck) -> list[str]:
    notes = []
    if found.outside:
        answers = count(found.outside, "answer")
        notes.append(f"{answers} of the ledger on days that the report does not cover: left out")
    if found.without_tokens:
        notes.append(
            f"{count(found.without_tokens, 'answer')} of the ledger without tokens: unknown"
        )
    if found.has_more:
        notes.append("the report says that it has more pages: this is its first part only")
    return notes
