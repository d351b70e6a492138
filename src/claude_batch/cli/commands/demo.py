"""`claude-batch demo`."""

from pathlib import Path
from typing import Annotated

import typer

from claude_batch.batches.collect_result import Collection
from claude_batch.cli.commands import collect, publish, submit
from claude_batch.cli.context import World
from claude_batch.cli.options import As, Format, command, keep, show, tell
from claude_batch.cli.output import json_documents as report
from claude_batch.cli.output import text as words
from claude_batch.cli.source_options import RangeFlag
from claude_batch.environment import environment
from claude_batch.errors import BadUsage
from claude_batch.pull_requests.publish import Published
from claude_batch.sandbox.demo.run import NOTE, Stage, Trip, Verbs, stage
from claude_batch.sandbox.demo.run import demo as trip
from claude_batch.submission.planner import Submission
from claude_batch.tasks.sources import PullRequest

app = command()


@app.command()
def demo(
    repo: Annotated[
        Path | None, typer.Option("--repo", help="Your own repository; it is only read.")
    ] = None,
    range_: RangeFlag = None,
    out: Annotated[Path, typer.Option("--out", help="Where the page goes.")] = Path(
        "claude-batch-demo.html"
    ),
    form: As = Format.text,
) -> None:
    """The whole trip on this machine, no key needed."""
    if range_ and repo is None:
        raise BadUsage("--range was given without --repo", "name the repository with --repo PATH")
    tell("starting look-alikes of the two APIs on this machine ...")
    with stage(environment(), repo, range_) as at:
        done = trip(verbs(at))
        page = at.page()
    keep(page, out)
    show({**report.demo(done), "page": str(out)}, lambda: _text(done, out), form)


def verbs(at: Stage) -> Verbs:
    world = World(at.clone, at.environ)
    source = PullRequest(at.pull)

    def submitted() -> Submission:
        tell(f"submit: reading {at.title} ...")
        done = submit.run(world, source, {"budget": "off"}, share=True)
        tell(words.submission(done))
        return done

    def collected() -> Collection:
        tell("collect: waiting for the batch to end ...")
        done = collect.run(world, world.config(), wait=True)
        tell(words.collection(done))
        return done

    def published() -> Published:
        tell("publish: posting on the pull request ...")
        done = publish.run(world, [world.forge.pull(at.pull)], {})
        if done[0].error:
            raise done[0].error
        tell(words.publication(done))
        return done[0]

    return Verbs(submitted, collected, published)


def _text(done: Trip, out: Path) -> str:
    placed = [words.finding(one.finding, words.spot(one)) for one in done.published.placed]
    return "\n".join(
        [
            "",
            *(placed or ["nothing found"]),
            "",
            *words.paid(done.published.receipt),
            f"page: {out}",
            NOTE,
        ]
    )
