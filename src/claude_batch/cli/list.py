"""`claude-batch list`."""

from claude_batch import report
from claude_batch.cli import words
from claude_batch.cli.shared import HERE, As, Directory, Format, command, show
from claude_batch.cli.world import World
from claude_batch.commands import status as verb

app = command()


@app.command("list")
def list_(form: As = Format.text, directory: Directory = HERE) -> None:
    """List the batches that the ledger remembers."""
    world = World(directory)
    ledgers = world.ledgers(world.config())
    rows = [row for ledger in ledgers for row in verb.list_batches(ledger, world.now())]
    show(
        report.items([report.batch(row) for row in rows]),
        lambda: "\n".join(map(words.batch, rows)) or "no batch was ever sent",
        form,
    )
