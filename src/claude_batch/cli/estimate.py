"""`claude-batch estimate`."""

from claude_batch import report
from claude_batch.cli import words
from claude_batch.cli.shared import command, show
from claude_batch.cli.sources import Call, about_a_source, destined, prepare
from claude_batch.cli.world import World
from claude_batch.commands import submit as verb
from claude_batch.source import Source
from claude_batch.submission import Submission

app = command()


def estimate(call: Call) -> None:
    """Say what submit would send, and its price."""
    done = run(call.world, call.source, call.flags, share=call.share)
    show(report.estimate(done), lambda: words.estimate(done), call.form)


def run(world: World, source: Source, flags: dict[str, object], *, share: bool) -> Submission:
    ready = prepare(world, source, flags)
    ledger, subject = destined(world, ready, share=share)
    return verb.estimate(subject, ready.claimant, ledger, world.claude)


app.command()(about_a_source(estimate))
