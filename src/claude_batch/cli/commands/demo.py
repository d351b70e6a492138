"""`claude-batch demo`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from claude_batch.batches.collect_result import CollectResult
from claude_batch.cli.commands import collect, publish, submit
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import open_ledgers, open_repository
from claude_batch.cli.options import (
    FormatFlag,
    command_app,
    print_result,
    print_status,
    write_page,
)
from claude_batch.cli.output.collect_result import collect_document, collect_text
from claude_batch.cli.output.json_writer import Json
from claude_batch.cli.output.publish_result import publish_document, publish_text
from claude_batch.cli.output.receipt import receipt_lines
from claude_batch.cli.output.submit_result import submit_document, submit_text
from claude_batch.cli.output.text import finding_line
from claude_batch.cli.source_options import RangeFlag
from claude_batch.environment import environment
from claude_batch.errors import BadUsage
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.sandbox.demo.stage import NOTE, DemoStage, open_stage
from claude_batch.submission.planner import SubmitResult
from claude_batch.tasks.sources import PullRequestSource

app = command_app()


@dataclass(frozen=True)
class DemoResult:
    submission: SubmitResult
    collection: CollectResult
    publication: PublishResult
    page: Path


@app.command()
def demo(
    repo: Annotated[
        Path | None, typer.Option("--repo", help="Your own repository, which is only read.")
    ] = None,
    range_: RangeFlag = None,
    out: Annotated[Path, typer.Option("--out", help="The path of the HTML page.")] = Path(
        "claude-batch-demo.html"
    ),
    output_format: FormatFlag = "text",
) -> None:
    """Try it locally, without an API key."""
    if range_ and repo is None:
        raise BadUsage("--range was given without --repo", "name the repository with --repo PATH")
    print_status("starting local test servers for both APIs ...")
    with open_stage(environment(), repo, range_) as stage:
        result = _run_commands(stage, out)
        page = stage.render_page()
    write_page(page, out)
    print_result(result, _document, _text, output_format)


def _run_commands(stage: DemoStage, out: Path) -> DemoResult:
    """Submit, collect and publish. Each result is printed as soon as it is known."""
    repository = open_repository(stage.clone, stage.environ)
    pull_request = stage.pull
    print_status(f"submit: reading {stage.title} ...")
    source = PullRequestSource(pull_request)
    submission = submit.run(repository, source, {"budget": "off"}, share=True)
    print_status(submit_text(submission))
    print_status("collect: waiting for the batch to end ...")
    config = load_config(repository)
    collection = collect.run(repository, config, open_ledgers(repository, config), wait=True)
    print_status(collect_text(collection))
    print_status("publish: posting on the pull request ...")
    [publication] = publish.run(repository, pull_request, {})
    if publication.error:
        raise publication.error
    print_status(publish_text([publication]))
    return DemoResult(submission, collection, publication, out)


def _document(result: DemoResult) -> Json:
    return {
        "submit": submit_document(result.submission),
        "collect": collect_document(result.collection),
        "publish": publish_document([result.publication]),
        "findings": [
            {"line": placed.line, **placed.finding.model_dump()}
            for placed in result.publication.placed
        ],
        "page": str(result.page),
    }


def _text(result: DemoResult) -> str:
    findings = [
        finding_line(placed.finding, f"{placed.path}:{placed.line}")
        for placed in result.publication.placed
    ]
    receipt = receipt_lines(result.publication.receipt)
    lines = ["", *(findings or ["nothing found"]), "", *receipt, f"page: {result.page}", NOTE]
    return "\n".join(lines)
