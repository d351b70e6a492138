"""What `cost --format json` prints. Scripts of other people rely on these keys."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import cast

from claude_batch.cli.output import json_documents as report
from claude_batch.costs.forecast import MonthForecast
from claude_batch.costs.invoice_check import InvoiceCheck, InvoiceDifference
from claude_batch.costs.spending import EstimateAccuracy, SpendingReport
from claude_batch.costs.usage_report import TokenCounts

Json = Mapping[str, object]


def spending(
    found: SpendingReport, running: MonthForecast, accurate: Sequence[EstimateAccuracy]
) -> Json:
    """The groups as ever; the totals also say where the month leads and how far estimates were."""
    document = report.spending(found)
    totals = {
        **cast(Json, document["totals"]),
        "month": {**asdict(running), "change_percent": running.change_percent},
        "estimates": [{**asdict(one), "error_percent": one.error_percent} for one in accurate],
    }
    return {**document, "totals": totals}


def reconciliation(found: InvoiceCheck) -> Json:
    return {
        "differences": [_difference(row) for row in found.differences],
        "usd": found.usd,
        "outside": found.outside,
        "unsaid": found.without_tokens,
        "has_more": found.has_more,
    }


def _difference(row: InvoiceDifference) -> Json:
    return {
        "date": row.day,
        "model": row.model,
        "service_tier": row.tier,
        "agrees": row.agrees,
        "ledger": _tokens(row.ledger),
        "report": _tokens(row.report),
        "usd": row.usd,
    }


def _tokens(found: TokenCounts) -> Json:
    return {
        "input_tokens": found.input,
        "output_tokens": found.output,
        "cache_read_tokens": found.cache_read,
        "cache_write_tokens": found.cache_write,
    }
