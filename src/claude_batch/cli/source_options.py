"""The flags of `submit` and `estimate`, and the submission that they describe."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, assert_never

import typer

from claude_batch.cli import clock
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import (
    ci_runner,
    find_shared_tasks,
    github_client,
    open_ledger,
    open_local_answers,
    open_repository,
    repository_name,
    run_id,
)
from claude_batch.cli.options import HERE, Directory, Format, FormatFlag, print_status
from claude_batch.config.model import Config
from claude_batch.errors import BadUsage
from claude_batch.git.hook_queue import HookQueue, QueueEntry
from claude_batch.git.repository import Repository
from claude_batch.ledger.events import PlanSource
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.comment import has_our_comment
from claude_batch.submission.inputs import (
    build_planner,
    build_scope,
    configured_kinds,
    load_context,
    load_pull_request_scope,
)
from claude_batch.submission.plan_record import build_plan
from claude_batch.submission.planner import SubmissionPlanner
from claude_batch.submission.scope import PlanOptions, ReviewScope
from claude_batch.tasks.discovery import ChangeFinder, DiscoveredChanges, with_fresh_base
from claude_batch.tasks.sources import (
    PathsSource,
    PullRequestSource,
    QueuedSource,
    RangeSource,
    Source,
    StagedSource,
    parse_range,
)

RangeFlag = Annotated[
    str | None, typer.Option("--range", help="A..B, from the merge base.", show_default=False)
]

PrFlag = Annotated[int | None, typer.Option("--pr", min=1, help="A pull request by number.")]
StagedFlag = Annotated[bool, typer.Option("--staged", help="The staged changes.")]
QueuedFlag = Annotated[bool, typer.Option("--queued", help="The trees that the hook recorded.")]

PathsFlag = Annotated[
    list[str] | None, typer.Option("--paths", help="Whole files of HEAD, by pattern.")
]

KindFlag = Annotated[
    list[str] | None, typer.Option("--kind", help="The kind of review; may be repeated.")
]
ModelFlag = Annotated[str | None, typer.Option("--model", help="The model to use.")]

BudgetFlag = Annotated[
    str | None, typer.Option("--budget", help="Dollars for one pull request, or off.")
]

NowFlag = Annotated[bool, typer.Option("--now", help="Answer at once, at full price.")]
ShareFlag = Annotated[bool, typer.Option("--share", help="Record on the shared branch.")]
WaitFlag = Annotated[bool, typer.Option("--wait", help="Wait until all batches have ended.")]


SOURCES: dict[type[Source], PlanSource] = {
    RangeSource: "range",
    StagedSource: "staged",
    QueuedSource: "queued",
    PathsSource: "paths",
}


@dataclass(frozen=True)
class SourceOptions:
    """The values of the flags."""

    repository: Repository
    source: Source
    flags: dict[str, object]
    share: bool
    wait: bool
    output_format: Format


def with_source_options(
    run: Callable[[SourceOptions], None], *, waits: bool = False
) -> Callable[..., None]:
    """A command with the flags of every source, which passes them to `run` as one value."""

    def command(
        range_: RangeFlag = None,
        pr: PrFlag = None,
        staged: StagedFlag = False,
        queued: QueuedFlag = False,
        paths: PathsFlag = None,
        kind: KindFlag = None,
        model: ModelFlag = None,
        budget: BudgetFlag = None,
        at_once: NowFlag = False,
        share: ShareFlag = False,
        wait: WaitFlag = False,
        output_format: FormatFlag = "text",
        directory: Directory = HERE,
    ) -> None:
        repository = open_repository(directory)
        flags: dict[str, object] = {
            "kinds": tuple(kind) if kind else None,
            "model": model,
            "budget": budget,
            "lane": "now" if at_once else None,
        }
        source = choose_source(repository, range_, pr, staged, queued, paths)
        run(SourceOptions(repository, source, flags, share, wait, output_format))

    command.__doc__ = run.__doc__
    if not waits:  # Typer reads the flags from the signature
        signature = inspect.signature(command)
        flags = [flag for name, flag in signature.parameters.items() if name != "wait"]
        vars(command)["__signature__"] = signature.replace(parameters=flags)
    return command


@dataclass(frozen=True)
class SubmitInput:
    """The scope, the planner and the configuration of one submission."""

    scope: ReviewScope
    planner: SubmissionPlanner
    config: Config
    notes: tuple[QueueEntry, ...] = ()  # of the hook's queue, removed after the submission


def choose_source(
    repository: Repository,
    range_: str | None,
    pr: int | None,
    staged: bool,
    queued: bool,
    paths: list[str] | None,
) -> Source:
    """The source that is named, by default the event's pull request or this branch.

    Raises BadUsage for two sources at once.
    """
    named: list[Source] = []
    named += [parse_range(range_)] if range_ is not None else []
    named += [PullRequestSource(pr)] if pr is not None else []
    named += [StagedSource()] if staged else []
    named += [QueuedSource()] if queued else []
    named += [PathsSource(tuple(paths))] if paths else []
    if len(named) > 1:
        raise BadUsage(
            "two sources were named",
            "give one of --range, --pr, --staged, --queued and --paths",
        )
    if named:
        return named[0]
    number = event_pull_request(repository)
    return RangeSource() if number is None else PullRequestSource(number)


def event_pull_request(repository: Repository) -> int | None:
    """The number of the pull request that the CI event is about."""
    runner = ci_runner(repository)
    if runner is None or not runner.event.startswith("pull_request"):
        return None
    number = runner.load_payload().get("number")
    return number if isinstance(number, int) else None


def prepare(repository: Repository, source: Source, flags: Mapping[str, object]) -> SubmitInput:
    """Read the changes of a source and the configuration that applies to them."""
    if isinstance(source, PullRequestSource):
        return _prepare_pull_request(repository, source.number, flags)
    config = load_config(repository, flags=flags)
    finder = ChangeFinder(repository, config.state.remote)
    notes: tuple[QueueEntry, ...] = ()
    match source:
        case RangeSource() | StagedSource():
            comparison = finder.compare(source, repository.git.environ.get("GIT_INDEX_FILE"))
            changes = finder.find_changes(comparison, config.exclude, configured_kinds(config))
        case PathsSource(patterns):
            changes = finder.find_files(patterns, config.exclude)
        case QueuedSource():
            changes, notes = _find_queued(repository, finder, config)
        case _:
            assert_never(source)
    scope = build_scope(
        changes,
        config,
        load_context(repository, changes.comparison.base),
        repository_name=repository_name(repository),
        run=run_id(repository),
        options=PlanOptions(source=SOURCES[type(source)], lane=config.lane),
    )
    return SubmitInput(scope, build_planner(config, clock.utc_now()), config, notes)


def _prepare_pull_request(
    repository: Repository, number: int, flags: Mapping[str, object]
) -> SubmitInput:
    github = github_client(repository)
    pull = with_fresh_base(repository, github.get_pull_request(number))
    comparison = ChangeFinder(repository).compare_pull(github, pull)
    config = load_config(repository, pull.base_sha, flags)
    scope = load_pull_request_scope(
        repository,
        pull,
        comparison,
        config,
        repository_name=repository_name(repository),
        run=run_id(repository),
        options=PlanOptions(lane=config.lane),
    )
    return SubmitInput(scope, build_planner(config, clock.utc_now()), config)


def _find_queued(
    repository: Repository, finder: ChangeFinder, config: Config
) -> tuple[DiscoveredChanges, tuple[QueueEntry, ...]]:
    notes = finder.sort_notes(HookQueue(repository.common_dir).entries(), clock.utc_now())
    for note in notes.waiting:
        print_status(f"note: tree {note.tree[:12]} is not committed yet; it stays in the queue")
    for note in notes.dropped:
        print_status(f"note: tree {note.tree[:12]} is on no branch any more and is not sent")
    changes = finder.find_queued(notes.ready, config.exclude)
    return changes, (*notes.ready, *notes.dropped)


def choose_ledger(
    repository: Repository, prepared: SubmitInput, *, share: bool, is_estimate: bool = False
) -> tuple[GitLedger, ReviewScope]:
    """The ledger of a submission, and its scope with the tasks that the other ledger knows.

    Unless it is an estimate, the shared ledger takes over the answers of the local one.
    """
    scope, config, pull = prepared.scope, prepared.config, prepared.scope.pr
    ledger = open_ledger(repository, config, share=share or pull is not None)
    if ledger.remote is None:
        known = find_shared_tasks(repository, config, {task.id for task in scope.tasks})
        return ledger, replace(scope, known_elsewhere=known)
    if pull is not None:
        ledger.marker_seen = lambda: has_our_comment(github_client(repository), pull)
    if ci_runner(repository):  # it has no local ledger
        return ledger, scope
    answers = open_local_answers(repository, config, ledger)
    if not answers.local.view().requests:
        return ledger, scope
    planner = prepared.planner
    plan = build_plan(LedgerState(), scope, planner.kinds, planner.new_id(), planner.now)
    if not is_estimate:
        answers.take_over([plan])
    return ledger, replace(scope, known_elsewhere=answers.known_tasks([plan]))
