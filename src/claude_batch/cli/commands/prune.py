"""`claude-batch prune`."""

from dataclasses import asdict, astuple
from datetime import timedelta
from typing import Annotated

import typer

from claude_batch.cli import clock
from claude_batch.cli.connections import open_with_ledgers
from claude_batch.cli.options import HERE, Directory, FormatFlag, command_app, print_result
from claude_batch.formatting import count
from claude_batch.ledger import compaction
from claude_batch.ledger import prune as ledger_prune
from claude_batch.ledger.prune import PruneResult
from claude_batch.ledger.repair import LedgerHistory

app = command_app()


@app.command()
def prune(
    older_than: Annotated[
        int, typer.Option("--older-than", min=0, help="Days since the pull request closed.")
    ] = compaction.MIN_AGE.days,
    squash: Annotated[
        bool, typer.Option("--squash", help="Also squash the history to one commit.")
    ] = False,
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Delete old data from the ledger."""
    repository, _, ledgers = open_with_ledgers(directory)
    age = timedelta(days=older_than)
    results = [ledger_prune.prune(ledger, clock.utc_now(), age) for ledger in ledgers]
    if squash:
        history = LedgerHistory(repository.git)
        results += [ledger_prune.squash(ledger, history) for ledger in ledgers]
    total = PruneResult(*map(sum, zip(*map(astuple, results), strict=True)))
    print_result(total, asdict, _text, output_format)


def _text(result: PruneResult) -> str:
    text = f"{count(result.dropped, 'file')} of findings dropped"
    text += f", {count(result.folded, 'log file')} folded"
    return f"{text}, {count(result.squashed, 'commit')} squashed" if result.squashed else text
