"""The flags of `submit` and `estimate`, and what they name."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, assert_never

import typer

from claude_batch.cli.context import CliContext, kinds
from claude_batch.cli.options import HERE, As, Directory, Format, print_status
from claude_batch.config.model import Config
from claude_batch.errors import BadUsage
from claude_batch.git.hook_queue import Note, Spool
from claude_batch.github_api.client import GitHubClient
from claude_batch.ledger.git_store import GitLedger
from claude_batch.prompts import repository_rules as house_rules
from claude_batch.prompts.context import ContextSource
from claude_batch.pull_requests import marker
from claude_batch.submission.planner import SubmissionPlanner
from claude_batch.submission.scope import ReviewScope
from claude_batch.tasks.discovery import ChangeFinder, DiscoveredChanges
from claude_batch.tasks.sources import (
    Paths,
    PullRequestSource,
    Queued,
    Range,
    Source,
    Staged,
    range_of,
)

RangeFlag = Annotated[
    str | None, typer.Option("--range", help="A..B, from the merge base.", show_default=False)
]

PrFlag = Annotated[int | None, typer.Option("--pr", min=1, help="A pull request by number.")]
StagedFlag = Annotated[bool, typer.Option("--staged", help="What is staged.")]
QueuedFlag = Annotated[bool, typer.Option("--queued", help="What the hook noted.")]

PathsFlag = Annotated[
    list[str] | None, typer.Option("--paths", help="Whole files of HEAD, by pattern.")
]

KindFlag = Annotated[list[str] | None, typer.Option("--kind", help="What to ask; may be repeated.")]
ModelFlag = Annotated[str | None, typer.Option("--model", help="The model that is asked.")]

BudgetFlag = Annotated[
    str | None, typer.Option("--budget", help="Dollars for one pull request, or off.")
]

NowFlag = Annotated[bool, typer.Option("--now", help="At once, at full price.")]
ShareFlag = Annotated[bool, typer.Option("--share", help="Record on the shared branch.")]
WaitFlag = Annotated[bool, typer.Option("--wait", help="Collect until nothing of it is open.")]


@dataclass(frozen=True)
class SourceOptions:
    """What the flags said."""

    world: CliContext
    source: Source
    flags: dict[str, object]
    share: bool
    wait: bool
    form: Format


def with_source_options(
    act: Callable[[SourceOptions], None], *, waits: bool = False
) -> Callable[..., None]:
    """A command that takes the flags of every source and hands them to `act` as one value."""

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
        form: As = Format.text,
        directory: Directory = HERE,
    ) -> None:
        world = CliContext(directory)
        flags: dict[str, object] = {
            "kinds": tuple(kind) if kind else None,
            "model": model,
            "budget": budget,
            "lane": "now" if at_once else None,
        }
        source = source_of(world, range_, pr, staged, queued, paths)
        act(SourceOptions(world, source, flags, share, wait, form))

    command.__doc__ = act.__doc__
    if not waits:  # Typer reads off the signature which flags there are
        whole = inspect.signature(command)
        fewer = [flag for name, flag in whole.parameters.items() if name != "wait"]
        vars(command)["__signature__"] = whole.replace(parameters=fewer)
    return command


@dataclass(frozen=True)
class SubmitInput:
    """All that `submit` and `estimate` need."""

    subject: ReviewScope
    claimant: SubmissionPlanner
    config: Config
    shared: bool  # recorded on the shared branch
    notes: tuple[Note, ...] = ()  # handled when it is submitted


def source_of(
    world: CliContext,
    range_: str | None,
    pr: int | None,
    staged: bool,
    queued: bool,
    paths: list[str] | None,
) -> Source:
    """Raises BadUsage for two sources at once."""
    named: list[Source] = []
    named += [range_of(range_)] if range_ is not None else []
    named += [PullRequestSource(pr)] if pr is not None else []
    named += [Staged()] if staged else []
    named += [Queued()] if queued else []
    named += [Paths(tuple(paths))] if paths else []
    if len(named) > 1:
        raise BadUsage(
            "two sources were named",
            "give one of --range, --pr, --staged, --queued and --paths",
        )
    return named[0] if named else _default(world)


def _default(world: CliContext) -> Source:
    """The event's pull request in CI, else this branch against the default one."""
    number = event_pull(world)
    return Range() if number is None else PullRequestSource(number)


def event_pull(world: CliContext) -> int | None:
    if world.runner is None or not world.runner.event.startswith("pull_request"):
        return None
    number = world.runner.load_payload().get("number")
    return number if isinstance(number, int) else None


def prepare(world: CliContext, source: Source, flags: dict[str, object]) -> SubmitInput:
    """Read what changed and by which configuration it is judged."""
    if isinstance(source, PullRequestSource):
        return _pull(world, source, flags)
    config = world.config(flags=flags)
    looker = ChangeFinder(world.repository, config.state.remote)
    notes: tuple[Note, ...] = ()
    match source:
        case Range() | Staged():
            index = world.environ.get("GIT_INDEX_FILE")
            look = looker.diff(looker.compare(source, index), config.exclude, kinds(config))
        case Paths(patterns):
            look = looker.files(patterns, config.exclude)
        case Queued():
            look, notes = _queued(world, looker, config)
        case _:
            assert_never(source)
    material = material_of(world, look.comparison.base)
    return _ready(world, look, config, material, notes=notes)


def _pull(world: CliContext, source: PullRequestSource, flags: dict[str, object]) -> SubmitInput:
    pull = world.forge.get_pull_request(source.number)
    looker = ChangeFinder(world.repository)
    comparison = looker.compare_pull(world.forge, pull)
    config = world.config(pull.base_sha, flags)
    look = looker.diff(comparison, config.exclude, kinds(config))
    # By the same commit as the configuration: nobody picks their rules by an old merge base.
    material = material_of(world, pull.base_sha, pull.title, pull.body)
    return _ready(world, look, config, material, pr=pull.number)


def material_of(
    world: CliContext, base: str | None, title: str = "", body: str = ""
) -> ContextSource:
    return ContextSource(
        title,
        body,
        world.repository.read,
        lambda: world.repository.named_files(base, house_rules.FILE_NAMES),
    )


def _queued(
    world: CliContext, looker: ChangeFinder, config: Config
) -> tuple[DiscoveredChanges, tuple[Note, ...]]:
    spool = Spool(world.repository.common_dir)
    sorted_notes = looker.sort(spool.notes(), world.now())
    for note in sorted_notes.waiting:
        print_status(f"note: tree {note.tree[:12]} is not committed yet; it stays in the queue")
    for note in sorted_notes.dropped:
        print_status(f"note: tree {note.tree[:12]} is on no branch any more and is not sent")
    look = looker.noted(sorted_notes.ready, config.exclude)
    return look, (*sorted_notes.ready, *sorted_notes.dropped)


def choose_ledger(
    world: CliContext, ready: SubmitInput, *, share: bool
) -> tuple[GitLedger, ReviewScope]:
    """Where it is recorded, and the subject without what another ledger knows."""
    ledger = world.ledger_for(ready.config, share=share or ready.shared)
    if ledger.remote is not None:
        pull = ready.subject.pr
        ledger.marker_seen = lambda: pull is not None and _has_our_mark(world.forge, pull)
        return ledger, ready.subject
    ids = {task.id for task in ready.subject.tasks}
    return ledger, replace(ready.subject, known_elsewhere=world.known_elsewhere(ready.config, ids))


def _has_our_mark(forge: GitHubClient, pull: int) -> bool:
    """Whether we have said something there: then there was a ledger."""
    login = forge.get_login()
    return any(one.login == login and marker.read(one.body) for one in forge.list_comments(pull))


def _ready(
    world: CliContext,
    look: DiscoveredChanges,
    config: Config,
    material: ContextSource,
    *,
    pr: int | None = None,
    notes: tuple[Note, ...] = (),
) -> SubmitInput:
    subject = ReviewScope(
        repo=world.slug,
        run=world.run,
        pr=pr,
        comparison=look.comparison,
        tasks=look.tasks(kinds(config)),
        skipped=look.skipped,
        context_source=material,
    )
    return SubmitInput(subject, world.claimant(config), config, pr is not None, notes)
