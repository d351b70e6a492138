"""Receipts in groups: by day, repository, pull request, kind or model."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from operator import itemgetter
from typing import Literal

from claude_batch.costs.entries import CostEntry, CostKey, ReusedTask, list_cost_entries, list_reused_tasks
from claude_batch.costs.receipts import ZERO, Receipt, build_receipt, sum_lost_reservations
from claude_batch.formatting import dollars
from claude_batch.ledger.view import LedgerState

GroupBy = Literal["day", "repository", "pull_request", "kind", "model"]

COLUMNS = (
    "usd",
    "usd_standard",
    "saved_usd",
    "requests",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
)


@dataclass(frozen=True, slots=True)
class SpendingGroup:
    name: str
    receipt: Receipt
    usd_estimated: Decimal  # what submit had said
    unknown: int  # answers that may have been billed, and are in no figure in dollars


@dataclass(frozen=True, slots=True)
class SpendingReport:
    group_by: GroupBy
    since: datetime | None
    groups: tuple[SpendingGroup, ...]
    total: SpendingGroup


def build_spending_report(views: Iterable[LedgerState], by: GroupBy, since: datetime | None) -> SpendingReport:
    """Of answers recorded, and tasks not asked again, at or after `since`; None: of all."""
    views = list(views)
    found = [one for one in list_cost_entries(views) if since is None or one.answer.at >= since]
    reused = [one for one in list_reused_tasks(views) if since is None or one.key.at >= since]
    named: dict[str, tuple[list[CostEntry], list[ReusedTask]]] = defaultdict(lambda: ([], []))
    for paid in found:
        named[GROUP_NAMES[by](paid.key)][0].append(paid)
    for saved in reused:
        named[GROUP_NAMES[by](saved.key)][1].append(saved)
    groups = tuple(_group(name, *rows) for name, rows in sorted(named.items(), key=itemgetter(0)))
    return SpendingReport(by, since, groups, _group("total", found, reused))


GROUP_NAMES: dict[GroupBy, Callable[[CostKey], str]] = {
    "day": lambda spot: utc_day(spot.at),
    "repository": lambda spot: spot.repo,
    "pull_request": lambda spot: f"{spot.pr}" if spot.pr else "none",
    "kind": lambda spot: spot.kind,
    "model": lambda spot: spot.model,
}


def utc_day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def _group(name: str, found: list[CostEntry], reused: list[ReusedTask]) -> SpendingGroup:
    return SpendingGroup(
        name=name,
        receipt=build_receipt(
            (one.answer for one in found),
            sum((one.usd for one in reused), ZERO),
            sum_lost_reservations((one.request, one.answer) for one in found),
        ),
        usd_estimated=sum((one.request.estimate.usd for one in found), ZERO),
        unknown=sum(one.is_unpriced for one in found),
    )


def format_paid(usd: Decimal, unknown: int) -> str:
    """What was paid, where some of it may have no known price."""
    if not unknown:
        return dollars(usd)
    return f"{dollars(usd)} + unknown" if usd else "unknown"


def render_spending_csv(found: SpendingReport) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([found.group_by, *COLUMNS, "usd_estimated", "unknown"])
    for group in (*found.groups, found.total):
        figures = [getattr(group.receipt, column) for column in COLUMNS]
        money = [format(one, "f") if isinstance(one, Decimal) else one for one in figures]
        estimated = format(group.usd_estimated, "f")
        writer.writerow([group.name, *money, estimated, group.unknown])
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class EstimateAccuracy:
    """Of requests that were billed at a known price."""

    kind: str
    model: str
    requests: int
    usd_estimated: Decimal
    usd: Decimal

    @property
    def error_percent(self) -> int | None:
        """Of what was paid; above zero the estimate was too high. None where nothing was paid."""
        if not self.usd:
            return None
        share = (self.usd_estimated - self.usd) / self.usd * 100
        return int(share.quantize(Decimal(1), ROUND_HALF_UP))


def measure_accuracy(found: Iterable[CostEntry]) -> tuple[EstimateAccuracy, ...]:
    named: dict[tuple[str, str], list[CostEntry]] = {}
    for entry in found:
        if entry.answer.usd is not None:
            named.setdefault((entry.key.kind, entry.key.model), []).append(entry)
    return tuple(
        EstimateAccuracy(
            kind=kind,
            model=model,
            requests=len(rows),
            usd_estimated=sum((row.request.estimate.usd for row in rows), ZERO),
            usd=sum((row.answer.usd or ZERO for row in rows), ZERO),
        )
        for (kind, model), rows in sorted(named.items())
    )
