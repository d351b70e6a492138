"""The JSON documents of `cost --format json`. Scripts rely on these keys."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import cast

from claude_batch.cli.output import json_documents
from claude_batch.costs.forecast import MonthForecast
from claude_batch.costs.invoice_check import InvoiceCheck, InvoiceDifference
from claude_batch.costs.spending import EstimateAccuracy, SpendingReport
from claude_batch.costs.usage_report import TokenCounts

Json = Mapping[str, object]


def spending(
    spending_report: SpendingReport, month: MonthForecast, accuracies: Sequence[EstimateAccuracy]
) -> Json:
    """The groups; the totals include the forecast of the month and the accuracy of estimates."""
    document = json_documents.spending(spending_report)
    totals = {
        **cast(Json, document["totals"]),
        "month": {**asdict(month), "change_percent": month.change_percent},
        "estimates": [
            {**asdict(accuracy), "error_percent": accuracy.error_percent} for accuracy in accuracies
        ],
    }
    return {**document, "totals": totals}


def reconciliation(check: InvoiceCheck) -> Json:
    return {
        "differences": [_difference(row) for row in check.differences],
        "usd": check.usd,
        "outside": check.outside,
        "unsaid": check.without_tokens,
        "has_more": check.has_more,
    }


def _difference(difference: InvoiceDifference) -> Json:
    return {
        "date": difference.day,
        "model": difference.model,
        "service_tier": difference.tier,
        "agrees": difference.agrees,
        "ledger": _tokens(difference.ledger),
        "report": _tokens(difference.report),
        "usd": difference.usd,
    }


def _tokens(tokens: TokenCounts) -> Json:
    return {
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "cache_read_tokens": tokens.cache_read,
        "cache_write_tokens": tokens.cache_write,
    }
