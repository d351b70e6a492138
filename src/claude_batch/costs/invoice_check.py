"""The ledger against a usage report, by day, model and service tier."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from claude_batch.costs.entries import CostEntry
from claude_batch.costs.prices import BATCH_FACTOR, Prices, UnknownModel
from claude_batch.costs.spending import utc_day
from claude_batch.costs.usage_report import UsageKey, TokenCounts, UsageReport, add_tokens, tokens_of

TOKEN_CLASSES = ("input", "output", "cache_read", "cache_write")


@dataclass(frozen=True, slots=True)
class InvoiceDifference:
    """`usd`: what the ledger has beyond the report, at list price; None: unknown."""

    day: str
    model: str
    tier: str
    ledger: TokenCounts
    report: TokenCounts
    usd: Decimal | None

    def token_differences(self) -> dict[str, int]:
        """Tokens of the ledger less those of the report, by class."""
        return {name: getattr(self.ledger, name) - getattr(self.report, name) for name in TOKEN_CLASSES}

    @property
    def agrees(self) -> bool:
        return not any(self.token_differences().values())


@dataclass(frozen=True, slots=True)
class InvoiceCheck:
    differences: tuple[InvoiceDifference, ...]
    outside: int  # answers of the ledger on days that the report does not cover
    without_tokens: int  # answers on its days that do not say their tokens
    has_more: bool

    @property
    def usd(self) -> Decimal | None:
        known = [row.usd for row in self.differences if row.usd is not None]
        return sum(known, Decimal(0)) if len(known) == len(self.differences) else None


def check_invoice(found: Iterable[CostEntry], report: UsageReport, prices: Prices) -> InvoiceCheck:
    """Days are those on which the ledger recorded an answer, and the report's own."""
    covered, outside = [], 0
    for entry in found:
        if utc_day(entry.answer.at) in report.days:
            covered.append(entry)
        elif entry.answer.usage:
            outside += 1
    ours: dict[UsageKey, TokenCounts] = {}
    for entry in covered:
        if entry.answer.usage:
            tier = "batch" if entry.batched else "standard"
            key = (utc_day(entry.answer.at), entry.spot.model, tier)
            add_tokens(ours, key, tokens_of(entry.answer.usage))
    rows = tuple(
        _difference(key, ours.get(key, TokenCounts()), report.tokens.get(key, TokenCounts()), prices)
        for key in sorted({*ours, *report.tokens})
    )
    unsaid = sum(entry.is_unknown and not entry.answer.usage for entry in covered)
    return InvoiceCheck(rows, outside, unsaid, report.has_more)


def _difference(key: UsageKey, ledger: TokenCounts, report: TokenCounts, prices: Prices) -> InvoiceDifference:
    said = [_usd(key, side, prices) for side in (ledger, report)]
    usd = None if said[0] is None or said[1] is None else said[0] - said[1]
    return InvoiceDifference(*key, ledger=ledger, report=report, usd=usd)


def _usd(key: UsageKey, tokens: TokenCounts, prices: Prices) -> Decimal | None:
    """At the price of short prompts: a report does not say how long each prompt was."""
    when, model, tier = key
    usage = tokens.usage()
    if usage is None or tier not in ("batch", "standard"):
        return None
    try:
        rates = prices.rates(model, at=date.fromisoformat(when), prompt_tokens=0)
    except UnknownModel:
        return None
    usd = rates.cost(usage)
    return usd * BATCH_FACTOR if tier == "batch" else usd


def render_invoice_csv(found: InvoiceCheck) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    sides: Sequence[str] = [f"{side}_{name}" for name in TOKEN_CLASSES for side in ("ledger", "report")]
    writer.writerow(["date", "model", "service_tier", *sides, "usd_beyond_report"])
    for row in found.differences:
        counts = [getattr(side, name) for name in TOKEN_CLASSES for side in (row.ledger, row.report)]
        usd = "unknown" if row.usd is None else format(row.usd, "f")
        writer.writerow([row.day, row.model, row.tier, *counts, usd])
    return out.getvalue()
