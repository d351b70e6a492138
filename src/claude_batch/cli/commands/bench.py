"""`claude-batch bench`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.benchmark.cases import (
    BenchmarkCase,
    BenchmarkScore,
    parse_cases,
    score_replays,
)
from claude_batch.benchmark.recorded_answers import AnswerFile
from claude_batch.benchmark.replay import BenchmarkRunner, OpenedCase
from claude_batch.cli import clock
from claude_batch.cli.connections import open_repository, run_id
from claude_batch.cli.options import FormatFlag, command_app, print_result, print_status
from claude_batch.cli.output.json_writer import Json, select
from claude_batch.cli.source_options import KindFlag, ModelFlag
from claude_batch.config.loader import override_config
from claude_batch.config.model import Config
from claude_batch.environment import environment
from claude_batch.errors import BadUsage, CannotRead, file_errors
from claude_batch.formatting import count, dollars
from claude_batch.submission.inputs import build_planner, build_scope, load_context
from claude_batch.submission.scope import PlanOptions
from claude_batch.tasks.discovery import ChangeFinder

app = command_app()


@app.command()
def bench(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Cases, as JSON.")],
    repos: Annotated[
        Path, typer.Option("--repos", help="Holds the repositories, as OWNER/NAME.")
    ] = Path(),
    answers: Annotated[
        Path | None, typer.Option("--answers", help="Recorded answers, as JSON lines.")
    ] = None,
    produce: Annotated[
        bool, typer.Option("--produce", help="Ask for missing answers; costs money.")
    ] = False,
    kind: KindFlag = None,
    model: ModelFlag = None,
    output_format: FormatFlag = "text",
) -> None:
    """Replay pull requests with known findings."""
    if produce and answers is None:
        raise BadUsage("--produce has nowhere to keep the answers", "name a file with --answers")
    cases = [case for file in files for case in parse_cases(str(file), _read(file))]
    environ = environment()
    config = override_config(
        Config(), kinds=tuple(kind) if kind else None, model=model, budget="off"
    )
    runner = BenchmarkRunner(
        lambda case: open_case(environ, repos, case, config),
        build_planner(config, clock.utc_now()),
        AnswerFile(answers),
    )
    if produce:
        client = AnthropicClient(environ, sleep=clock.sleep)
        new_answers = runner.request_answers(cases, client, clock.sleep)
        print_status(f"{new_answers} new answers")
    score = score_replays(runner.replay(cases))
    print_result((score, runner.skipped), _document, _text, output_format)


def _document(result: tuple[BenchmarkScore, Mapping[str, str]]) -> Json:
    """Shares of nothing are null."""
    score, skipped = result
    counts = ("pull_requests", "findings", "placed", "missing_answers")
    shares = ("placement", "precision", "recall", "comments_per_pull_request")
    costs = ("input_tokens", "output_tokens", "usd")
    return {
        **select(score, *counts, *shares, *costs, golden="expected", comments="inline"),
        "skipped": skipped,
    }


def _text(result: tuple[BenchmarkScore, Mapping[str, str]]) -> str:
    score, skipped = result
    lines = [
        f"{count(score.pull_requests, 'pull request')} replayed, {score.expected:,} known findings",
        f"placement: {_percent(score.placement)} of {count(score.findings, 'finding')} have lines",
        f"precision: {_percent(score.precision)} of {count(score.inline, 'comment')} are on the "
        "lines of a known finding",
        f"recall: {_percent(score.recall)} of the known findings have a comment on their lines",
        f"{score.comments_per_pull_request or 0:.1f} comments a pull request",
        f"{score.input_tokens:,} tokens in, {score.output_tokens:,} out, {dollars(score.usd)}",
    ]
    if score.missing_answers:
        missing = count(score.missing_answers, "request")
        lines.append(f"{missing} without a recorded answer (--produce asks)")
    lines += [f"skipped: {url}: {reason}" for url, reason in skipped.items()]
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def open_case(
    environ: Mapping[str, str], repos: Path, case: BenchmarkCase, config: Config
) -> OpenedCase:
    """The pull request of a case. The configuration of its repository is not read."""
    folders = (repos / case.repository, repos / f"{case.repository}.git")
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None:
        raise CannotRead(f"{case.repository} is not in {repos}", "clone it there")
    repository = open_repository(folder, environ)
    comparison = repository.compare_commits(case.base, case.head, case.url)
    finder = ChangeFinder(repository)
    scope = build_scope(
        finder.find_changes(comparison, ()),
        config,
        load_context(repository, comparison.base),
        repository_name=case.repository,
        run=run_id(repository),
        options=PlanOptions(),
    )
    return OpenedCase(case, scope, finder.file_reader(case.head))


def _read(file: Path) -> bytes:
    with file_errors(CannotRead, f"{file} could not be read", "name a file"):
        return file.read_bytes()
