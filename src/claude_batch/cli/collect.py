"""`claude-batch collect`."""

import sys
import time
from collections.abc import Callable
from typing import Annotated

import typer

from claude_batch import report
from claude_batch.cli import words
from claude_batch.cli.shared import HERE, As, Directory, Format, command, show
from claude_batch.cli.world import World, new_id, now
from claude_batch.collected import Collection, Progress, together
from claude_batch.commands.collect import Collector
from claude_batch.commands.follow_up import FollowUp
from claude_batch.config import Config
from claude_batch.ledger import Ledger
from claude_batch.trips.collect import Verbs
from claude_batch.trips.collect import collect as trip

app = command()


@app.command()
def collect(
    wait: Annotated[bool, typer.Option("--wait", help="Poll until nothing is open.")] = False,
    no_submit: Annotated[
        bool, typer.Option("--no-submit", help="Send no second look at what was found.")
    ] = False,
    form: As = Format.text,
    directory: Directory = HERE,
) -> None:
    """Fetch ended batches into the ledger."""
    world = World(directory)
    done = run(world, world.config(), wait=wait, submit=not no_submit)
    show(report.collection(done), lambda: words.collection(done), form)


def run(world: World, config: Config, *, wait: bool = False, submit: bool = True) -> Collection:
    if not submit:
        config = config.model_copy(update={"verify": None})
    return together(_one(world, config, ledger, wait=wait) for ledger in world.ledgers(config))


def _one(world: World, config: Config, ledger: Ledger, *, wait: bool) -> Collection:
    prices = world.prices(config)
    collector = Collector(
        ledger, world.claude, prices, world.run, now, config.retention == "answers"
    )
    after = FollowUp(ledger, world.claude, world.repository, config, prices, world.run, now, new_id)

    def collected() -> Collection:
        return collector.wait(time.sleep, shower()) if wait else collector.collect()

    return trip(Verbs(collected, after.send), wait=wait)


def shower() -> Callable[[Progress], None]:
    """A bar on a terminal, a line whenever something changed elsewhere."""
    if sys.stderr.isatty():
        from claude_batch.cli.bar import Bar

        return Bar().show
    last: list[Progress] = []

    def line(progress: Progress) -> None:
        if [progress] != last:
            last[:] = [progress]
            sys.stderr.write(f"{progress.done} of {progress.total} requests have ended\n")

    return line
