"""`claude-batch demo`."""

from pathlib import Path
from typing import Annotated

import typer

from claude_batch.batches.collect_result import CollectResult
from claude_batch.cli.commands import collect, publish, submit
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import open_ledgers, open_repository
from claude_batch.cli.options import (
    Format,
    FormatFlag,
    command_app,
    print_result,
    print_status,
    write_page,
)
from claude_batch.cli.output import json_documents, text
from claude_batch.cli.source_options import RangeFlag
from claude_batch.environment import environment
from claude_batch.errors import BadUsage
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.sandbox.demo.run import NOTE, DemoActions, DemoResult, DemoStage, stage
from claude_batch.sandbox.demo.run import demo as run_demo
from claude_batch.submission.planner import SubmitResult
from claude_batch.tasks.sources import PullRequestSource

app = command_app()


@app.command()
def demo(
    repo: Annotated[
        Path | None, typer.Option("--repo", help="Your own repository, which is only read.")
    ] = None,
    range_: RangeFlag = None,
    out: Annotated[Path, typer.Option("--out", help="The path of the HTML page.")] = Path(
        "claude-batch-demo.html"
    ),
    output_format: FormatFlag = Format.text,
) -> None:
    """Try it locally, without an API key."""
    if range_ and repo is None:
        raise BadUsage("--range was given without --repo", "name the repository with --repo PATH")
    print_status("starting local test servers for both APIs ...")
    with stage(environment(), repo, range_) as demo_stage:
        result = run_demo(verbs(demo_stage))
        page = demo_stage.page()
    write_page(page, out)
    print_result(
        {**json_documents.demo(result), "page": str(out)}, lambda: _text(result, out), output_format
    )


def verbs(stage: DemoStage) -> DemoActions:
    repository = open_repository(stage.clone, stage.environ)

    def submit_changes() -> SubmitResult:
        print_status(f"submit: reading {stage.title} ...")
        source = PullRequestSource(stage.pull)
        result = submit.run(repository, source, {"budget": "off"}, share=True)
        print_status(text.submission(result))
        return result

    def collect_answers() -> CollectResult:
        print_status("collect: waiting for the batch to end ...")
        config = load_config(repository)
        result = collect.run(repository, config, open_ledgers(repository, config), wait=True)
        print_status(text.collection(result))
        return result

    def publish_findings() -> PublishResult:
        print_status("publish: posting on the pull request ...")
        results = publish.run(repository, stage.pull, {})
        if results[0].error:
            raise results[0].error
        print_status(text.publication(results))
        return results[0]

    return DemoActions(submit_changes, collect_answers, publish_findings)


def _text(result: DemoResult, out: Path) -> str:
    findings = [
        text.finding(placed.finding, text.location(placed)) for placed in result.published.placed
    ]
    return "\n".join(
        [
            "",
            *(findings or ["nothing found"]),
            "",
            *text.paid(result.published.receipt),
            f"page: {out}",
            NOTE,
        ]
    )
