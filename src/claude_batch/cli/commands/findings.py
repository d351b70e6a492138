"""`claude-batch findings`."""

from claude_batch.cli.context import CliContext
from claude_batch.cli.options import HERE, As, Directory, Format, command, show
from claude_batch.cli.output import json_documents as report
from claude_batch.cli.output import text as words
from claude_batch.pull_requests import outcomes as verb
from claude_batch.pull_requests.outcomes import Precision, compute_precision

app = command()


@app.command()
def findings(form: As = Format.text, directory: Directory = HERE) -> None:
    """List findings with their outcomes."""
    found = rows(CliContext(directory))
    show(listed(found), lambda: _text(found), form)


def rows(world: CliContext) -> list[verb.FindingOutcomeRow]:
    return verb.list_findings(world.ledgers(world.config()))


def listed(found: list[verb.FindingOutcomeRow]) -> report.Json:
    shown = [
        {**row.finding.model_dump(), "pull_requests": row.pull_requests, "outcome": row.outcome}
        for row in found
    ]
    return {**report.items(shown), "precision": [report.precision(row) for row in judged(found)]}


def judged(found: list[verb.FindingOutcomeRow]) -> list[Precision]:
    return compute_precision((row.finding, row.outcome) for row in found)


def _text(found: list[verb.FindingOutcomeRow]) -> str:
    rows = [f"{words.finding(row.finding, row.finding.path)}  ({row.outcome})" for row in found]
    shares = judged(found)
    table = ["", words.precision(shares)] if shares else []
    return "\n".join([*rows, *table]) or "no finding is recorded"
