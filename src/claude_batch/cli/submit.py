"""`claude-batch submit`."""

from dataclasses import replace

from claude_batch import report
from claude_batch.cli import words
from claude_batch.cli.collect import go_on
from claude_batch.cli.shared import command, show, tell
from claude_batch.cli.sources import Call, Ready, about_a_source, destined, prepare
from claude_batch.cli.world import World
from claude_batch.collected import Collection
from claude_batch.commands import submit as verb
from claude_batch.edges.spool import Spool
from claude_batch.sender import Hold
from claude_batch.source import Source
from claude_batch.submission import Submission

app = command()


def submit(call: Call) -> None:
    """Send what changed and is not yet known."""
    tell("reading what changed ...")
    if call.wait:
        done, collected = _see_through(call)
        said = f"{words.submission(done)}\n{words.collection(collected)}"
        show(report.seen_through(done, collected), lambda: said, call.form)
    else:
        done = run(call.world, call.source, call.flags, share=call.share)
        show(report.submission(done), lambda: words.submission(done), call.form)


def _see_through(call: Call) -> tuple[Submission, Collection]:
    """What is shared goes first where that pays; then as `collect --wait`, for this alone."""
    world, ready = call.world, prepare(call.world, call.source, call.flags)
    ledger, subject = destined(world, ready, share=call.share)
    claimant = replace(ready.claimant, goes_on=True)
    hold = Hold(world.claude, world.now, world.sleep, tell)
    done = verb.submit(subject, claimant, ledger, world.claude, world.now, hold)
    _forget_notes(world, ready)
    return done, go_on(world, ready.config, ledger, {task.id for task in subject.tasks})


def run(world: World, source: Source, flags: dict[str, object], *, share: bool) -> Submission:
    ready = prepare(world, source, flags)
    ledger, subject = destined(world, ready, share=share)
    done = verb.submit(subject, ready.claimant, ledger, world.claude, world.now)
    _forget_notes(world, ready)
    return done


def _forget_notes(world: World, ready: Ready) -> None:
    """Last: a note may be handled twice, which costs nothing, but never be lost."""
    if ready.notes:
        Spool(world.repository.common_dir).drop(ready.notes)


app.command()(about_a_source(submit, waits=True))
