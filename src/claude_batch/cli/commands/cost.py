"""`claude-batch cost`."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from claude_batch.cli.context import CliContext, utc_now
from claude_batch.cli.options import HERE, Directory, command, write_page
from claude_batch.cli.output import cost_json as spending_report
from claude_batch.cli.output import cost_text as cost_words
from claude_batch.cli.output.json_writer import document
from claude_batch.config.model import Config
from claude_batch.costs import invoice_check, usage_report
from claude_batch.costs.entries import list_cost_entries
from claude_batch.costs.forecast import forecast_month
from claude_batch.costs.pages.cost_page import render_cost_page
from claude_batch.costs.spending import measure_accuracy, render_spending_csv, build_spending_report
from claude_batch.errors import BadUsage, CannotRead, file_errors
from claude_batch.ledger.view import LedgerState

app = command()
PAGE = Path("claude-batch-cost.html")


class Grouping(StrEnum):
    day = "day"
    repository = "repository"
    pull_request = "pull_request"
    kind = "kind"
    model = "model"


class CostFormat(StrEnum):
    text = "text"
    json = "json"
    csv = "csv"
    html = "html"


@app.command()
def cost(
    by: Annotated[Grouping, typer.Option("--by", help="What to group by.")] = Grouping.day,
    since: Annotated[
        str | None, typer.Option("--since", help="First day, as 2026-11-01 (UTC).")
    ] = None,
    form: Annotated[
        CostFormat, typer.Option("--format", help="How to print it.")
    ] = CostFormat.text,
    out: Annotated[
        Path | None, typer.Option("--out", help=f"Where the HTML page goes; else ./{PAGE}.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--reconcile", help="A usage report to compare with (JSON or CSV)."),
    ] = None,
    directory: Directory = HERE,
) -> None:
    """Show what was spent, in groups."""
    first = _day(since)
    if form is not CostFormat.html and out:
        raise BadUsage("--out is for the HTML page", "add --format html, or leave --out away")
    if form is CostFormat.html and report:
        raise BadUsage("there is no page for --reconcile", "choose text, json or csv")
    exported = usage_report.parse_usage_report(str(report), _read(report)) if report else None
    world = CliContext(directory)
    config = world.config()
    views = [ledger.view() for ledger in world.ledgers(config)]
    if exported:
        found = invoice_check.check_invoice(list_cost_entries(views), exported, world.prices(config))
        text = _reconciled(found, form)
    elif form is CostFormat.html:
        target = out or PAGE
        write_page(_page(views, by, first, config), target)
        text = f"page: {target}"
    else:
        text = _spent(views, by, first, config, form)
    sys.stdout.write(text.rstrip("\n") + "\n")


def _spent(
    views: Sequence[LedgerState],
    by: Grouping,
    since: datetime | None,
    config: Config,
    form: CostFormat,
) -> str:
    found = build_spending_report(views, by.value, since)
    if form is CostFormat.csv:
        return render_spending_csv(found)
    running = forecast_month(views, utc_now(), config.budget.month)
    rows = [row for row in list_cost_entries(views) if since is None or row.answer.at >= since]
    if form is CostFormat.json:
        return document(spending_report.spending(found, running, measure_accuracy(rows)))
    return cost_words.cost(found, running, measure_accuracy(rows))


def _page(
    views: Sequence[LedgerState], by: Grouping, since: datetime | None, config: Config
) -> str:
    at = utc_now()
    return render_cost_page(
        build_spending_report(views, by.value, since),
        build_spending_report(views, "day", since),
        [row for row in list_cost_entries(views) if since is None or row.answer.at >= since],
        forecast_month(views, at, config.budget.month),
        config.budget,
        at,
    )


def _reconciled(found: invoice_check.InvoiceCheck, form: CostFormat) -> str:
    match form:
        case CostFormat.json:
            return document(spending_report.reconciliation(found))
        case CostFormat.csv:
            return invoice_check.render_invoice_csv(found)
        case _:
            return cost_words.reconciliation(found)


def _day(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadUsage(f"{text!r} is not a day", "write it as 2026-11-01") from error


def _read(path: Path) -> bytes:
    with file_errors(CannotRead, f"{path} could not be read", "name an exported usage report"):
        return path.read_bytes()
