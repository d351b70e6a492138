"""`claude-batch cost`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from claude_batch.cli import clock
from claude_batch.cli.connections import open_with_ledgers
from claude_batch.cli.options import HERE, Directory, command_app, print_output, write_page
from claude_batch.cli.output.cost_report import (
    CostReport,
    cost_document,
    cost_text,
    invoice_document,
    invoice_text,
)
from claude_batch.cli.output.json_writer import write_json
from claude_batch.config.model import Config
from claude_batch.costs.entries import CostEntry, list_cost_entries
from claude_batch.costs.forecast import forecast_month
from claude_batch.costs.invoice_check import InvoiceCheck, check_invoice, render_invoice_csv
from claude_batch.costs.pages.cost_page import render_cost_page
from claude_batch.costs.spending import (
    GroupBy,
    build_spending_report,
    measure_accuracy,
    render_spending_csv,
)
from claude_batch.costs.usage_report import parse_usage_report
from claude_batch.errors import BadUsage, CannotRead, file_errors
from claude_batch.ledger.view import LedgerState
from claude_batch.submission.inputs import load_prices

app = command_app()
PAGE = Path("claude-batch-cost.html")
CostFormat = Literal["text", "json", "csv", "html"]


@app.command()
def cost(
    by: Annotated[GroupBy, typer.Option("--by", help="What to group by.")] = "day",
    since: Annotated[
        str | None, typer.Option("--since", help="First day, as 2026-11-01 (UTC).")
    ] = None,
    output_format: Annotated[
        CostFormat, typer.Option("--format", help="The output format.")
    ] = "text",
    out: Annotated[
        Path | None, typer.Option("--out", help=f"The path of the HTML page (./{PAGE}).")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--reconcile", help="A usage report to compare with (JSON or CSV)."),
    ] = None,
    directory: Directory = HERE,
) -> None:
    """Show costs, grouped by day or another key."""
    first = _day(since)
    if output_format != "html" and out:
        raise BadUsage("--out is for the HTML page", "add --format html or remove --out")
    if output_format == "html" and report:
        raise BadUsage("there is no page for --reconcile", "choose text, json or csv")
    exported = parse_usage_report(str(report), _read(report)) if report else None
    _, config, ledgers = open_with_ledgers(directory)
    states = [ledger.view() for ledger in ledgers]
    if exported:
        check = check_invoice(list_cost_entries(states), exported, load_prices(config))
        print_output(_render_invoice(check, output_format))
    elif output_format == "html":
        target = out or PAGE
        write_page(_render_page(states, by, first, config), target)
        print_output(f"page: {target}")
    else:
        print_output(_render_costs(states, by, first, config, output_format))


def _render_costs(
    states: Sequence[LedgerState],
    by: GroupBy,
    since: datetime | None,
    config: Config,
    output_format: CostFormat,
) -> str:
    spending = build_spending_report(states, by, since)
    if output_format == "csv":
        return render_spending_csv(spending)
    month = forecast_month(states, clock.utc_now(), config.budget.month)
    report = CostReport(spending, month, measure_accuracy(_entries_since(states, since)))
    if output_format == "json":
        return write_json(cost_document(report))
    return cost_text(report)


def _render_page(
    states: Sequence[LedgerState], by: GroupBy, since: datetime | None, config: Config
) -> str:
    now = clock.utc_now()
    return render_cost_page(
        build_spending_report(states, by, since),
        build_spending_report(states, "day", since),
        _entries_since(states, since),
        forecast_month(states, now, config.budget.month),
        config.budget,
        now,
    )


def _entries_since(states: Sequence[LedgerState], since: datetime | None) -> list[CostEntry]:
    entries = list_cost_entries(states)
    return [entry for entry in entries if since is None or entry.answer.at >= since]


def _render_invoice(check: InvoiceCheck, output_format: CostFormat) -> str:
    match output_format:
        case "json":
            return write_json(invoice_document(check))
        case "csv":
            return render_invoice_csv(check)
        case _:
            return invoice_text(check)


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
