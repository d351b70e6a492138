"""Compare the ledger with a usage report, by day, model and service tier."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from claude_batch.costs.entries import CostEntry
from claude_batch.costs.prices import BATCH_FACTOR, Prices, UnknownModel
from claude_batch.costs.spending import render_csv, utc_day
from claude_batch.costs.usage_report import TokenCounts, UsageKey, UsageReport, add_tokens

TOKEN_CLASSES = ("input", "output", "cache_read", "cache_write")


@dataclass(frozen=True, slots=True)
class InvoiceDifference:
    day: str
    model: str
    tier: str
    ledger: TokenCounts
    report: TokenCounts
    usd: Decimal | None  # ledger less report, at list price; None: unknown

    def token_differences(self) -> dict[str, int]:
        """Return the tokens of the ledger less those of the report, by class."""
        return {
            name: getattr(self.ledger, name) - getattr(self.report, name) for name in TOKEN_CLASSES
        }

    @property
    def agrees(self) -> bool:
        return not any(self.token_differences().values())


@dataclass(frozen=True, slots=True)
class InvoiceCheck:
    differences: tuple[InvoiceDifference, ...]
    outside: int  # answers of the ledger on days that the report does not cover
    without_tokens: int  # answers of the ledger on its days without a token count
    has_more: bool  # the report has further pages

    @property
    def usd(self) -> Decimal | None:
        known = [item.usd for item in self.differences if item.usd is not None]
        return sum(known, Decimal(0)) if len(known) == len(self.differences) else None


def check_invoice(
    entries: Iterable[CostEntry], report: UsageReport, prices: Prices
) -> InvoiceCheck:
    """Compare the days of the report. An answer counts on the day when it was recorded."""
    covered, outside = [], 0
    for entry in entries:
        if utc_day(entry.answer.at) in report.days:
            covered.append(entry)
        elif entry.answer.usage:
            outside += 1
    ledger: dict[UsageKey, TokenCounts] = {}
    for entry in covered:
        if entry.answer.usage:
            tier = "batch" if entry.in_batch else "standard"
            key = (utc_day(entry.answer.at), entry.key.model, tier)
            add_tokens(ledger, key, TokenCounts.from_usage(entry.answer.usage))
    differences = tuple(
        _difference(
            key, ledger.get(key, TokenCounts()), report.tokens.get(key, TokenCounts()), prices
        )
        for key in sorted({*ledger, *report.tokens})
    )
    without_tokens = sum(entry.is_unpriced and not entry.answer.usage for entry in covered)
    return InvoiceCheck(differences, outside, without_tokens, report.has_more)


def _difference(
    key: UsageKey, ledger: TokenCounts, report: TokenCounts, prices: Prices
) -> InvoiceDifference:
    ledger_usd, report_usd = (_price(key, tokens, prices) for tokens in (ledger, report))
    usd = None if ledger_usd is None or report_usd is None else ledger_usd - report_usd
    return InvoiceDifference(*key, ledger=ledger, report=report, usd=usd)


def _price(key: UsageKey, tokens: TokenCounts, prices: Prices) -> Decimal | None:
    day, model, tier = key
    usage = tokens.usage()
    if usage is None or tier not in ("batch", "standard"):
        return None
    try:
        # A report does not say how long each prompt was: the rates of short prompts apply.
        rates = prices.rates(model, at=date.fromisoformat(day), prompt_tokens=0)
    except UnknownModel:
        return None
    usd = rates.cost(usage)
    return usd * BATCH_FACTOR if tier == "batch" else usd


def render_invoice_csv(check: InvoiceCheck) -> str:
    columns = [f"{side}_{name}" for name in TOKEN_CLASSES for side in ("ledger", "report")]
    rows: list[list[object]] = [["date", "model", "service_tier", *columns, "usd_beyond_report"]]
    for item in check.differences:
        counts = [
            getattr(side, name) for name in TOKEN_CLASSES for side in (item.ledger, item.report)
        ]
        usd = "unknown" if item.usd is None else item.usd
        rows.append([item.day, item.model, item.tier, *counts, usd])
    return render_csv(rows)
