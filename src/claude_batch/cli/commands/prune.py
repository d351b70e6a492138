"""`claude-batch prune`."""

from dataclasses import astuple
from datetime import timedelta
from typing import Annotated

import typer

from claude_batch.cli.context import CliContext
from claude_batch.cli.options import HERE, As, Directory, Format, command, show
from claude_batch.formatting import count
from claude_batch.ledger import compaction as folding
from claude_batch.ledger import prune as verb
from claude_batch.ledger.prune import Pruned
from claude_batch.ledger.repair import LedgerHistory

app = command()


@app.command()
def prune(
    older_than: Annotated[
        int, typer.Option("--older-than", min=0, help="Days since the pull request closed.")
    ] = folding.YOUNGEST.days,
    squash: Annotated[
        bool, typer.Option("--squash", help="Also replace the history by one commit.")
    ] = False,
    form: As = Format.text,
    directory: Directory = HERE,
) -> None:
    """Drop what the ledger no longer needs."""
    world = CliContext(directory)
    age, ledgers = timedelta(days=older_than), world.ledgers(world.config())
    done = [verb.prune(ledger, world.now(), age) for ledger in ledgers]
    if squash:
        history = LedgerHistory(world.repository.git)
        done += [verb.squash(ledger, history) for ledger in ledgers]
    total = Pruned(*map(sum, zip(*map(astuple, done), strict=True)))
    show(total, lambda: _said(total), form)


def _said(done: Pruned) -> str:
    said = f"{count(done.dropped, 'file')} of findings dropped"
    said += f", {count(done.folded, 'log file')} folded"
    return f"{said}, {count(done.squashed, 'commit')} squashed" if done.squashed else said
