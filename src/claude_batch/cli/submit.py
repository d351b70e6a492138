"""`claude-batch submit`."""

from claude_batch import report
from claude_batch.cli import words
from claude_batch.cli.shared import command, show, tell
from claude_batch.cli.sources import Call, Ready, about_a_source, destined, prepare
from claude_batch.cli.world import World, now
from claude_batch.commands import submit as verb
from claude_batch.edges.spool import Spool
from claude_batch.source import Source
from claude_batch.submission import Submission

app = command()


def submit(call: Call) -> None:
    """Send what changed and is not yet known."""
    tell("reading what changed ...")
    done = run(call.world, call.source, call.flags, share=call.share)
    show(report.submission(done), lambda: words.submission(done), call.form)


def run(world: World, source: Source, flags: dict[str, object], *, share: bool) -> Submission:
    ready = prepare(world, source, flags)
    ledger, subject = destined(world, ready, share=share)
    done = verb.submit(subject, ready.claimant, ledger, world.claude, now)
    _forget_notes(world, ready)
    return done


def _forget_notes(world: World, ready: Ready) -> None:
    """Last: a note may be handled twice, which costs nothing, but never be lost."""
    if ready.notes:
        Spool(world.repository.common_dir).drop(ready.notes)


app.command()(about_a_source(submit))
