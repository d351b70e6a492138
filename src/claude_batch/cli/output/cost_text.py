"""How `cost` reads in a terminal."""

from collections.abc import Sequence

from claude_batch.cli.output.text import spending, table
from claude_batch.costs.forecast import Month, sentences
from claude_batch.costs.reconciliation import CLASSES, Reconciliation
from claude_batch.costs.spending import Accuracy, Spending
from claude_batch.formatting import count, dollars


def cost(found: Spending, running: Month, accurate: Sequence[Accuracy]) -> str:
    rows = [spending(found), "", *sentences(running)]
    if accurate:
        rows += ["", accuracy(accurate)]
    return "\n".join(rows)


def accuracy(found: Sequence[Accuracy]) -> str:
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


def reconciliation(found: Reconciliation) -> str:
    differing = [row for row in found.rows if not row.agrees]
    agreeing = len(found.rows) - len(differing)
    heads = ("ledger less report", *(name.replace("_", " ") for name in CLASSES), "dollars")
    rows = [
        (
            f"{row.day} {row.model} {row.tier}",
            *(f"{number:+,}" if number else "0" for number in row.beyond().values()),
            "unknown" if row.usd is None else dollars(row.usd),
        )
        for row in differing
    ]
    said = [table([heads, *rows])] if rows else []
    said += [f"{agreeing:,} of {count(len(found.rows), 'row')} by day, model and tier agree"]
    if differing:
        usd = "unknown" if found.usd is None else dollars(found.usd)
        said.append(f"difference at list price: {usd}")
    return "\n".join([*said, *_notes(found)])


def _notes(found: Reconciliation) -> list[str]:
    notes = []
    if found.outside:
        answers = count(found.outside, "answer")
        notes.append(f"{answers} of the ledger on days that the report does not cover: left out")
    if found.unsaid:
        notes.append(f"{count(found.unsaid, 'answer')} of the ledger without tokens: unknown")
    if found.is_cut:
        notes.append("the report says that it has more pages: this is its first part only")
    return notes
