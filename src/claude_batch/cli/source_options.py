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
from claude_batch.cli.plan_flags import (
    NO_WISHES,
    AfterFlag,
    DamageFlag,
    LaterFlag,
    PriorityFlag,
    TagFlag,
    YesFlag,
    check_conflicts,
    parse_wishes,
)
from claude_batch.cli.waiting_work import sort_hook_notes
from claude_batch.config.model import Config
from claude_batch.errors import BadUsage
from claude_batch.git.hook_queue import QueueEntry
from claude_batch.git.repository import Repository
from claude_batch.github_api.models import PullRequest
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
AllOpenFlag = Annotated[bool, typer.Option("--all-open", help="All open pull requests.")]
ShareFlag = Annotated[bool, typer.Option("--share", help="Record on the shared branch.")]
WaitFlag = Annotated[bool, typer.Option("--wait", help="Wait until all batches have ended.")]


ONLY_TO_SEND = ("wait", "despite_damage", "yes")
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
    source: Source | None  # None: all open pull requests
    flags: dict[str, object]  # that override the configuration
    wishes: PlanOptions
    share: bool
    wait: bool
    despite_damage: bool
    is_confirmed: bool  # --yes
    output_format: Format


def with_source_options(
    run: Callable[[SourceOptions], None], *, sends: bool = False
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
        all_open: AllOpenFlag = False,
        at_once: NowFlag = False,
        later: LaterFlag = False,
        priority: PriorityFlag = None,
        after: AfterFlag = None,
        tag: TagFlag = None,
        share: ShareFlag = False,
        wait: WaitFlag = False,
        despite_damage: DamageFlag = False,
        yes: YesFlag = False,
        output_format: FormatFlag = "text",
        directory: Directory = HERE,
    ) -> None:
        named = {
            "--range": range_ is not None,
            "--pr": pr is not None,
            "--staged": staged,
            "--queued": queued,
            "--paths": bool(paths),
            "--now": at_once,
            "--later": later,
            "--after": after is not None,
            "--wait": wait,
            "--share": share,
            "--all-open": all_open,
        }
        check_conflicts({flag for flag, is_given in named.items() if is_given})
        repository = open_repository(directory)
        flags: dict[str, object] = {
            "kinds": tuple(kind) if kind else None,
            "model": model,
            "budget": budget,
            "lane": "now" if at_once else "later" if later else None,
        }
        source = None if all_open else choose_source(repository, range_, pr, staged, queued, paths)
        wishes = parse_wishes(priority, after, tag or (), clock.utc_now())
        run(
            SourceOptions(
                *(repository, source, flags, wishes, share, wait, despite_damage, yes),
                output_format,
            )
        )

    command.__doc__ = run.__doc__
    if not sends:  # Typer reads the flags from the signature
        signature = inspect.signature(command)
        flags = [flag for name, flag in signature.parameters.items() if name not in ONLY_TO_SEND]
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
            "give one of --range, --pr, --staged, --queued, --paths and --all-open",
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


def prepare(
    repository: Repository,
    source: Source,
    flags: Mapping[str, object],
    wishes: PlanOptions = NO_WISHES,
) -> SubmitInput:
    """Read the changes of a source and the configuration that applies to them."""
    if isinstance(source, PullRequestSource):
        pull = github_client(repository).get_pull_request(source.number)
        return prepare_pull_request(repository, pull, flags, wishes)
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
        options=replace(wishes, source=SOURCES[type(source)], lane=config.plan_lane),
    )
    return SubmitInput(scope, build_planner(config, clock.utc_now()), config, notes)


def prepare_pull_request(
    repository: Repository,
    pull: PullRequest,
    flags: Mapping[str, object],
    wishes: PlanOptions = NO_WISHES,
) -> SubmitInput:
    pull = with_fresh_base(repository, pull)
    comparison = ChangeFinder(repository).compare_pull(github_client(repository), pull)
    config = load_config(repository, pull.base_sha, flags)
    scope = load_pull_request_scope(
        repository,
        pull,
        comparison,
        config,
        repository_name=repository_name(repository),
        run=run_id(repository),
        options=replace(wishes, lane=config.plan_lane),
    )
    return SubmitInput(scope, build_planner(config, clock.utc_now()), config)


def _find_queued(
    repository: Repository, finder: ChangeFinder, config: Config
) -> tuple[DiscoveredChanges, tuple[QueueEntry, ...]]:
    notes = sort_hook_notes(repository)
    for note in notes.waiting:
        print_status(f"note: tree {note.tree[:12]} is not committed yet; it stays in the queue")
    changes = finder.find_queued(notes.ready, config.exclude)
    return changes, notes.ready


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
