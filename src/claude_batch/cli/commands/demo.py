"""`claude-batch demo`."""

from pathlib import Path
from typing import Annotated

import typer

from claude_batch.batches.collect_result import CollectResult
from claude_batch.cli.commands import collect, publish, submit
from claude_batch.cli.context import CliContext
from claude_batch.cli.options import As, Format, command, print_status, show, write_page
from claude_batch.cli.output import json_documents as report
from claude_batch.cli.output import text as words
from claude_batch.cli.source_options import RangeFlag
from claude_batch.environment import environment
from claude_batch.errors import BadUsage
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.sandbox.demo.run import NOTE, DemoResult, Stage, Verbs, stage
from claude_batch.sandbox.demo.run import demo as trip
from claude_batch.submission.planner import SubmitResult
from claude_batch.tasks.sources import PullRequestSource

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
    print_status("starting look-alikes of the two APIs on this machine ...")
    with stage(environment(), repo, range_) as at:
        done = trip(verbs(at))
        page = at.page()
    write_page(page, out)
    show({**report.demo(done), "page": str(out)}, lambda: _text(done, out), form)


def verbs(at: Stage) -> Verbs:
    world = CliContext(at.clone, at.environ)
    source = PullRequestSource(at.pull)

    def submitted() -> SubmitResult:
        print_status(f"submit: reading {at.title} ...")
        done = submit.run(world, source, {"budget": "off"}, share=True)
        print_status(words.submission(done))
        return done

    def collected() -> CollectResult:
        print_status("collect: waiting for the batch to end ...")
        done = collect.run(world, world.config(), wait=True)
        print_status(words.collection(done))
        return done

    def published() -> PublishResult:
        print_status("publish: posting on the pull request ...")
        done = publish.run(world, [world.forge.get_pull_request(at.pull)], {})
        if done[0].error:
            raise done[0].error
        print_status(words.publication(done))
        return done[0]

    return Verbs(submitted, collected, published)


def _text(done: DemoResult, out: Path) -> str:
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
