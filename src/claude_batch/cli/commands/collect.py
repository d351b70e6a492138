"""`claude-batch collect`."""

import sys
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Annotated

import typer

from claude_batch.batches.collect import Collector
from claude_batch.batches.collect import collect as trip
from claude_batch.batches.collect_result import CollectResult, Progress, merge_results
from claude_batch.cli.context import CliContext, kinds_beside, new_id
from claude_batch.cli.options import HERE, As, Directory, Format, command, show
from claude_batch.cli.output import json_documents as report
from claude_batch.cli.output import text as words
from claude_batch.cli.source_options import material_of
from claude_batch.config.model import Config
from claude_batch.ledger.store import Ledger
from claude_batch.submission import submit as submit_verb
from claude_batch.submission.planner import SubmitResult
from claude_batch.submission.resubmit import Resubmitter
from claude_batch.submission.scope import Resubmission, ReviewScope
from claude_batch.tasks.discovery import ChangeFinder
from claude_batch.tasks.task import TaskId
from claude_batch.verification.verify import Verifier

app = command()


@app.command()
def collect(
    wait: Annotated[bool, typer.Option("--wait", help="Poll until nothing is open.")] = False,
    no_submit: Annotated[
        bool, typer.Option("--no-submit", help="Send nothing: no second look, nothing again.")
    ] = False,
    form: As = Format.text,
    directory: Directory = HERE,
) -> None:
    """Fetch ended batches into the ledger."""
    world = CliContext(directory)
    done = run(world, world.config(), wait=wait, submit=not no_submit)
    show(report.collection(done), lambda: words.collection(done), form)


def run(
    world: CliContext, config: Config, *, wait: bool = False, submit: bool = True
) -> CollectResult:
    return merge_results(
        _one(world, config, ledger, wait=wait, submit=submit) for ledger in world.ledgers(config)
    )


def go_on(
    world: CliContext, config: Config, ledger: Ledger, tasks: AbstractSet[TaskId]
) -> CollectResult:
    """Until nothing that asks one of these tasks is open, second looks included."""
    return _one(world, config, ledger, wait=True, submit=True, tasks=tasks)


def _one(
    world: CliContext,
    config: Config,
    ledger: Ledger,
    *,
    wait: bool,
    submit: bool,
    tasks: AbstractSet[TaskId] | None = None,
) -> CollectResult:
    prices = world.prices(config)
    collector = Collector(
        ledger, world.claude, prices, world.run, world.now, config.retention == "answers"
    )
    looks = Verifier(
        ledger, world.claude, world.repository, config, prices, world.run, world.now, new_id
    )

    def collected() -> CollectResult:
        return collector.wait(world.sleep, shower(), tasks) if wait else collector.collect()

    again = Resubmitter(
        ledger,
        partial(_subject, world, config),
        partial(_ask, world, config, ledger),
        world.now,
    )
    steps = (collected, again.send, looks.send) if submit else (collected,)
    return trip(steps, wait=wait)


def _subject(world: CliContext, config: Config, again: Resubmission) -> ReviewScope:
    plan = again.plan
    look = ChangeFinder(world.repository, config.state.remote).planned(plan, config.exclude)
    return ReviewScope(
        repo=plan.repo,
        run=world.run,
        pr=plan.pr,
        comparison=look.comparison,
        tasks=look.tasks(kinds_beside(config, plan.kinds)),
        skipped=look.skipped,
        # In CI by the same commit as the configuration, which is trusted.
        context_source=material_of(world, "HEAD" if world.runner else plan.base),
        resubmission=again,
    )


def _ask(world: CliContext, config: Config, ledger: Ledger, subject: ReviewScope) -> SubmitResult:
    """In the lane that costs half: whoever was in a hurry has waited already."""
    settings = config.model_copy(update={"lane": "batch"})
    wanted = kinds_beside(config, (task.kind for task in subject.tasks))
    claimant = world.claimant(settings, wanted)
    return submit_verb.submit(subject, claimant, ledger, world.claude, world.now)


def shower() -> Callable[[Progress], None]:
    """A bar on a terminal, a line whenever something changed elsewhere."""
    if sys.stderr.isatty():
        from claude_batch.cli.output.progress import Bar

        return Bar().show
    last: list[Progress] = []

    def line(progress: Progress) -> None:
        if [progress] != last:
            last[:] = [progress]
            sys.stderr.write(f"{progress.done} of {progress.total} requests have ended\n")

    return line
