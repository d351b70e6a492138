"""`claude-batch bench`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from claude_batch.benchmark.cases import BenchmarkCase, parse_cases, score
from claude_batch.benchmark.recorded_answers import AnswerFile
from claude_batch.benchmark.replay import Bench, Opened
from claude_batch.cli.context import CliContext
from claude_batch.cli.options import As, Format, command, print_status, show
from claude_batch.cli.output import json_documents as report
from claude_batch.cli.output import text as words
from claude_batch.cli.source_options import KindFlag, ModelFlag, material_of
from claude_batch.config.loader import override
from claude_batch.config.model import Config
from claude_batch.errors import BadUsage, CannotRead, file_errors
from claude_batch.submission.scope import ReviewScope
from claude_batch.tasks.discovery import ChangeFinder

app = command()


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
    form: As = Format.text,
) -> None:
    """Replay pull requests with known findings."""
    if produce and answers is None:
        raise BadUsage("--produce has nowhere to keep the answers", "name a file with --answers")
    cases = [case for file in files for case in parse_cases(str(file), _read(file))]
    world = CliContext(repos)
    flags: dict[str, object] = {
        "kinds": tuple(kind) if kind else None,
        "model": model,
        "budget": "off",
    }
    bencher = Bench(
        lambda case: open_case(world, repos, case, flags),
        world.claimant(override(Config(), **flags)),
        AnswerFile(answers),
    )
    if produce:
        asked = bencher.produce(cases, world.claude, time.sleep)
        print_status(f"{asked} new answers")
    result = score(bencher.replay(cases))
    document = {**report.score(result), "skipped": bencher.skipped}
    show(document, lambda: words.score(result, bencher.skipped), form)


def open_case(world: CliContext, repos: Path, case: BenchmarkCase, flags: dict[str, object]) -> Opened:
    """The pull request of a case. Nothing of its repository's own configuration is read."""
    places = (repos / case.repository, repos / f"{case.repository}.git")
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise CannotRead(f"{case.repository} is not in {repos}", "clone it there")
    there = CliContext(found, world.environ)
    looker = ChangeFinder(there.repository)
    comparison = there.repository.compare_commits(case.base, case.head, case.url)
    look = looker.diff(comparison, ())
    claimant = world.claimant(override(Config(), **flags))
    subject = ReviewScope(
        repo=case.repository,
        run=world.run,
        pr=None,
        comparison=comparison,
        tasks=look.tasks(claimant.kinds),
        skipped=look.skipped,
        context_source=material_of(there, comparison.base),
    )
    return Opened(case, subject, looker.head(case.head))


def _read(file: Path) -> bytes:
    with file_errors(CannotRead, f"{file} could not be read", "name a file"):
        return file.read_bytes()
