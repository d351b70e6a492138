"""Receipts in groups: by day, repository, pull request, kind or model."""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from claude_batch.event import Answered, Asked
from claude_batch.ledger import View
from claude_batch.receipt import Receipt, receipt

By = Literal["day", "repository", "pull_request", "kind", "model"]
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
class Group:
    name: str
    receipt: Receipt
    usd_estimated: Decimal  # what submit had said


@dataclass(frozen=True, slots=True)
class Spending:
    by: By
    since: datetime | None
    groups: tuple[Group, ...]
    total: Group


def spending(views: Iterable[View], by: By, since: datetime | None) -> Spending:
    """Of answers recorded at or after `since`; None: of all."""
    rows = [
        (row.asked, row.answered)
        for view in views
        for row in view.rows
        if row.answered and (since is None or row.answered.at >= since)
    ]
    named: dict[str, list[tuple[Asked, Answered]]] = {}
    for asked, answered in rows:
        named.setdefault(KEYS[by](asked, answered), []).append((asked, answered))
    groups = tuple(_group(name, found) for name, found in sorted(named.items()))
    return Spending(by, since, groups, _group("total", rows))


KEYS: dict[By, Callable[[Asked, Answered], str]] = {
    "day": lambda asked, answered: f"{answered.at.astimezone(UTC):%Y-%m-%d}",
    "repository": lambda asked, answered: asked.repo,
    "pull_request": lambda asked, answered: f"{asked.pr}" if asked.pr else "none",
    "kind": lambda asked, answered: asked.kind,
    "model": lambda asked, answered: answered.model or asked.model,
}


def _group(name: str, rows: list[tuple[Asked, Answered]]) -> Group:
    estimated = sum((asked.estimate.usd for asked, _ in rows), Decimal(0))
    return Group(name, receipt(answered for _, answered in rows), estimated)


def as_csv(found: Spending) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([found.by, *COLUMNS, "usd_estimated"])
    for group in (*found.groups, found.total):
        figures = [getattr(group.receipt, column) for column in COLUMNS]
        money = [format(one, "f") if isinstance(one, Decimal) else one for one in figures]
        writer.writerow([group.name, *money, format(group.usd_estimated, "f")])
    return out.getvalue()
