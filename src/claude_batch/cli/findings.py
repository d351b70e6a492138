"""`claude-batch findings`."""

from claude_batch import report
from claude_batch.cli import words
from claude_batch.cli.shared import HERE, As, Directory, Format, command, show
from claude_batch.cli.world import World
from claude_batch.commands import findings as verb

app = command()


@app.command()
def findings(form: As = Format.text, directory: Directory = HERE) -> None:
    """List findings with their outcomes."""
    found = rows(World(directory))
    lines = (f"{words.finding(row.finding, row.finding.path)}  ({row.outcome})" for row in found)
    show(listed(found), lambda: "\n".join(lines) or "no finding is recorded", form)


def rows(world: World) -> list[verb.Found]:
    return verb.findings(world.ledgers(world.config()))


def listed(found: list[verb.Found]) -> report.Json:
    return report.items(
        [
            {**row.finding.model_dump(), "pull_requests": row.pull_requests, "outcome": row.outcome}
            for row in found
        ]
    )
