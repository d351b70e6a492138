"""`claude-batch findings`."""

from collections.abc import Sequence

from claude_batch.cli.connections import open_with_ledgers
from claude_batch.cli.options import HERE, Directory, FormatFlag, command_app, print_result
from claude_batch.cli.output.json_writer import Json, item_list, select
from claude_batch.cli.output.text import finding_line, table
from claude_batch.pull_requests.outcomes import (
    FindingOutcomeRow,
    Precision,
    compute_precision,
    list_findings,
)

app = command_app()


@app.command()
def findings(output_format: FormatFlag = "text", directory: Directory = HERE) -> None:
    """List findings with their outcomes."""
    _, _, ledgers = open_with_ledgers(directory)
    print_result(list_findings(ledgers), findings_document, _text, output_format)


def findings_document(rows: Sequence[FindingOutcomeRow]) -> Json:
    """`precision` is null if nobody has judged a finding of that kind and severity."""
    items = [
        {**row.finding.model_dump(), **select(row, "pull_requests", "outcome")} for row in rows
    ]
    counts = ("kind", "severity", "posted", "accepted", "rejected")
    precisions = [select(row, *counts, precision="share") for row in _precisions(rows)]
    return {**item_list(items), "precision": precisions}


def _precisions(rows: Sequence[FindingOutcomeRow]) -> list[Precision]:
    return compute_precision((row.finding, row.outcome) for row in rows)


def _text(rows: Sequence[FindingOutcomeRow]) -> str:
    lines = [f"{finding_line(row.finding)}  ({row.outcome})" for row in rows]
    precisions = _precisions(rows)
    lines += ["", precision_table(precisions)] if precisions else []
    return "\n".join(lines) or "no findings"


def precision_table(precisions: Sequence[Precision]) -> str:
    """A table of posted findings by kind and severity, with the opinions of people."""
    lines = [
        (
            f"{precision.kind}, {precision.severity}",
            *(
                f"{number:,}"
                for number in (precision.posted, precision.accepted, precision.rejected)
            ),
            "-" if precision.share is None else f"{precision.share:.0%}",
        )
        for precision in precisions
    ]
    return table([("kind, severity", "posted", "accepted", "rejected", "precision"), *lines])
