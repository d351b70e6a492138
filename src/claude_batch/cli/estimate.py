"""`claude-batch estimate`."""

import typer

from claude_batch import report
from claude_batch.cli import words
from claude_batch.cli.shared import show
from claude_batch.cli.sources import Call, about_a_source, prepare
from claude_batch.commands import submit as verb

app = typer.Typer()


def estimate(call: Call) -> None:
    """Say what submit would send, and its price."""
    ready = prepare(call.world, call.source, call.flags)
    ledger = call.world.ledger_for(ready.config, share=call.share or ready.shared)
    done = verb.estimate(ready.subject, ready.claimant, ledger)
    show(report.estimate(done), lambda: words.estimate(done), call.form)


app.command()(about_a_source(estimate))
