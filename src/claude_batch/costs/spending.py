"""Spending reports: receipts by day, repository, pull request, kind or model, and the accuracy of
estimates."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Literal

from claude_batch.costs.entries import (
    CostEntry,
    CostKey,
    ReusedTask,
    list_cost_entries,
    list_reused_tasks,
    percent_above,
    sum_estimated,
    sum_paid,
)
from claude_batch.costs.receipts import ZERO, Receipt, build_receipt, sum_lost_reservations
from claude_batch.formatting import dollars
from claude_batch.ledger.view import LedgerState

GroupBy = Literal["day", "repository", "pull_request", "kind", "model"]

CSV_COLUMNS = (
    "usd",
    "usd_standard",
    "saved_usd",
    "requests",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
)

GROUP_NAMES: dict[GroupBy, Callable[[CostKey], str]] = {
    "day": lambda key: utc_day(key.at),
    "repository": lambda key: key.repo,
    "pull_request": lambda key: f"{key.pr}" if key.pr else "none",
    "kind": lambda key: key.kind,
    "model": lambda key: key.model,
}


@dataclass(frozen=True, slots=True)
class SpendingGroup:
    name: str
    receipt: Receipt
    usd_estimated: Decimal  # at the time of submit
    unknown: int  # answers that may have been billed at an unknown price; in no sum


@dataclass(frozen=True, slots=True)
class SpendingReport:
    group_by: GroupBy
    since: datetime | None  # None: everything in the ledger
    groups: tuple[SpendingGroup, ...]
    total: SpendingGroup


@dataclass(frozen=True, slots=True)
class EstimateAccuracy:
    """Estimates and payments of the requests that were billed at a known price."""

    kind: str
    model: str
    requests: int
    usd_estimated: Decimal
    usd: Decimal

    @property
    def error_percent(self) -> int | None:
        """The error relative to the amount paid, above zero if the estimate was too high."""
        return percent_above(self.usd_estimated, self.usd)


def build_spending_report(
    states: Iterable[LedgerState], group_by: GroupBy, since: datetime | None
) -> SpendingReport:
    """Group the answers and the reused tasks that were recorded at or after `since`."""
    states = list(states)
    entries = [
        entry for entry in list_cost_entries(states) if since is None or entry.answer.at >= since
    ]
    reused = [task for task in list_reused_tasks(states) if since is None or task.key.at >= since]
    members: dict[str, tuple[list[CostEntry], list[ReusedTask]]] = defaultdict(lambda: ([], []))
    group_name = GROUP_NAMES[group_by]
    for entry in entries:
        members[group_name(entry.key)][0].append(entry)
    for task in reused:
        members[group_name(task.key)][1].append(task)
    groups = tuple(
        _group(name, *lists) for name, lists in sorted(members.items(), key=itemgetter(0))
    )
    return SpendingReport(group_by, since, groups, _group("total", entries, reused))


def _group(name: str, entries: list[CostEntry], reused: list[ReusedTask]) -> SpendingGroup:
    return SpendingGroup(
        name=name,
        receipt=build_receipt(
            (entry.answer for entry in entries),
            sum((task.usd for task in reused), ZERO),
            sum_lost_reservations((entry.request, entry.answer) for entry in entries),
        ),
        usd_estimated=sum_estimated(entries),
        unknown=sum(entry.is_unpriced for entry in entries),
    )


def measure_accuracy(entries: Iterable[CostEntry]) -> tuple[EstimateAccuracy, ...]:
    """Compare estimates with payments, by kind and model."""
    members: dict[tuple[str, str], list[CostEntry]] = defaultdict(list)
    for entry in entries:
        if entry.answer.usd is not None:
            members[entry.key.kind, entry.key.model].append(entry)
    return tuple(
        EstimateAccuracy(
            kind=kind,
            model=model,
            requests=len(group),
            usd_estimated=sum_estimated(group),
            usd=sum_paid(group),
        )
        for (kind, model), group in sorted(members.items())
    )


def utc_day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def format_paid(usd: Decimal, unknown: int) -> str:
    """Format the amount paid for answers of which `unknown` have no known price."""
    if not unknown:
        return dollars(usd)
    return f"{dollars(usd)} + unknown" if usd else "unknown"


def render_spending_csv(report: SpendingReport) -> str:
    rows: list[list[object]] = [[report.group_by, *CSV_COLUMNS, "usd_estimated", "unknown"]]
    for group in (*report.groups, report.total):
        values = [getattr(group.receipt, column) for column in CSV_COLUMNS]
        rows.append([group.name, *values, group.usd_estimated, group.unknown])
    return render_csv(rows)


def render_csv(rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    # Without an exponent, which spreadsheets would not read as an amount.
    writer.writerows(
        [format(cell, "f") if isinstance(cell, Decimal) else cell for cell in row] for row in rows
    )
    return out.getvalue()
