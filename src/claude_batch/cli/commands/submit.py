"""`claude-batch submit` and `claude-batch estimate`."""

from dataclasses import replace

from claude_batch.batches.collect_result import CollectResult
from claude_batch.cli.commands.collect import go_on
from claude_batch.cli.context import CliContext
from claude_batch.cli.options import command, print_status, show
from claude_batch.cli.output import json_documents as report
from claude_batch.cli.output import text as words
from claude_batch.cli.source_options import (
    SourceOptions,
    SubmitInput,
    choose_ledger,
    prepare,
    with_source_options,
)
from claude_batch.git.hook_queue import Spool
from claude_batch.submission import submit as verb
from claude_batch.submission.planner import SubmitResult
from claude_batch.submission.send import PrimerWait
from claude_batch.tasks.sources import Source

app = command()
estimate_app = command()


def submit(call: SourceOptions) -> None:
    """Send what changed and is not yet known."""
    print_status("reading what changed ...")
    if call.wait:
        done, collected = _see_through(call)
        said = f"{words.submission(done)}\n{words.collection(collected)}"
        show(report.seen_through(done, collected), lambda: said, call.form)
    else:
        done = run(call.world, call.source, call.flags, share=call.share)
        show(report.submission(done), lambda: words.submission(done), call.form)


def _see_through(call: SourceOptions) -> tuple[SubmitResult, CollectResult]:
    """What is shared goes first where that pays; then as `collect --wait`, for this alone."""
    world, ready = call.world, prepare(call.world, call.source, call.flags)
    ledger, subject = choose_ledger(world, ready, share=call.share)
    claimant = replace(ready.claimant, waits_for_primers=True)
    hold = PrimerWait(world.claude, world.now, world.sleep, print_status)
    done = verb.submit(subject, claimant, ledger, world.claude, world.now, hold)
    _forget_notes(world, ready)
    return done, go_on(world, ready.config, ledger, {task.id for task in subject.tasks})


def run(
    world: CliContext, source: Source, flags: dict[str, object], *, share: bool
) -> SubmitResult:
    ready = prepare(world, source, flags)
    ledger, subject = choose_ledger(world, ready, share=share)
    done = verb.submit(subject, ready.claimant, ledger, world.claude, world.now)
    _forget_notes(world, ready)
    return done


def _forget_notes(world: CliContext, ready: SubmitInput) -> None:
    """Last: a note may be handled twice, which costs nothing, but never be lost."""
    if ready.notes:
        Spool(world.repository.common_dir).drop(ready.notes)


def estimate(call: SourceOptions) -> None:
    """Say what submit would send, and its price."""
    result = run_estimate(call.world, call.source, call.flags, share=call.share)
    show(report.estimate(result), lambda: words.estimate(result), call.form)


def run_estimate(
    world: CliContext, source: Source, flags: dict[str, object], *, share: bool
) -> SubmitResult:
    ready = prepare(world, source, flags)
    ledger, subject = choose_ledger(world, ready, share=share)
    return verb.estimate(subject, ready.claimant, ledger, world.claude)


app.command()(with_source_options(submit, waits=True))
estimate_app.command()(with_source_options(estimate))
