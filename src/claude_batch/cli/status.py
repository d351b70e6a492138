"""`claude-batch status`."""

from claude_batch import report
from claude_batch.cli import words
from claude_batch.cli.shared import HERE, As, Directory, Format, command, show
from claude_batch.cli.world import World
from claude_batch.commands import status as verb

app = command()


@app.command()
def status(form: As = Format.text, directory: Directory = HERE) -> None:
    """Show what is pending, failed and spent."""
    world = World(directory)
    done = [verb.status(ledger, world.now()) for ledger in world.ledgers(world.config())]
    show(report.status(done), lambda: words.status(done), form)
