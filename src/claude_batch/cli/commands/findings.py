"""`claude-batch findings`."""

from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import open_ledgers, open_repository
from claude_batch.cli.options import HERE, Directory, Format, FormatFlag, command_app, print_result
from claude_batch.cli.output import json_documents, text
from claude_batch.git.repository import Repository
from claude_batch.pull_requests.outcomes import (
    FindingOutcomeRow,
    Precision,
    compute_precision,
    list_findings,
)

app = command_app()


@app.command()
def findings(output_format: FormatFlag = Format.text, directory: Directory = HERE) -> None:
    """List findings with their outcomes."""
    rows = load_rows(open_repository(directory))
    print_result(document(rows), lambda: _text(rows), output_format)


def load_rows(repository: Repository) -> list[FindingOutcomeRow]:
    return list_findings(open_ledgers(repository, load_config(repository)))


def document(rows: list[FindingOutcomeRow]) -> json_documents.Json:
    items = [
        {**row.finding.model_dump(), "pull_requests": row.pull_requests, "outcome": row.outcome}
        for row in rows
    ]
    return {
        **json_documents.items(items),
        "precision": [json_documents.precision(row) for row in precisions(rows)],
    }


def precisions(rows: list[FindingOutcomeRow]) -> list[Precision]:
    return compute_precision((row.finding, row.outcome) for row in rows)


def _text(rows: list[FindingOutcomeRow]) -> str:
    lines = [f"{text.finding(row.finding, row.finding.path)}  ({row.outcome})" for row in rows]
    precision_rows = precisions(rows)
    table = ["", text.precision(precision_rows)] if precision_rows else []
    return "\n".join([*lines, *table]) or "no findings"
