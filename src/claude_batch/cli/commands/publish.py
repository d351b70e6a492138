"""`claude-batch publish`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from claude_batch.cli.context import CliContext, kinds_beside
from claude_batch.cli.options import HERE, As, Directory, Format, command, show
from claude_batch.cli.output import json_documents as report
from claude_batch.cli.output import text as words
from claude_batch.cli.source_options import PrFlag, event_pull
from claude_batch.config.model import Config
from claude_batch.errors import BadUsage, CannotCollect, CannotFetch, CannotPublish, CannotRead
from claude_batch.git.branches import Branches
from claude_batch.git.patch import PatchFolder
from claude_batch.github_api.models import PullRequest
from claude_batch.ledger.store import Ledger
from claude_batch.pull_requests.publish import Publisher, PublishResult, PullRequestState
from claude_batch.pull_requests.record import has_news
from claude_batch.pull_requests.refactorings import RefactoringPublisher, PatchTarget
from claude_batch.tasks.discovery import ChangeFinder
from claude_batch.tasks.task import Kind

app = command()


@app.command()
def publish(
    pr: PrFlag = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would post.")
    ] = False,
    fail_on: Annotated[
        str | None, typer.Option("--fail-on", help="Exit 1 on findings of this severity or above.")
    ] = None,
    form: As = Format.text,
    directory: Directory = HERE,
) -> None:
    """Post recorded findings on pull requests."""
    world = CliContext(directory)
    flags: dict[str, object] = {"fail_on": fail_on}
    done = run(world, pulls(world, pr), flags, dry_run=dry_run)
    if world.runner and pr is None and event_pull(world) is None:
        done += refactorings(world, dry_run=dry_run)
    show(report.publication(done), lambda: words.publication(done), form)
    for one in done:
        if one.error:
            raise one.error
    if any(one.failing for one in done):
        raise typer.Exit(1)


def run(
    world: CliContext, wanted: Sequence[PullRequest], flags: dict[str, object], *, dry_run: bool = False
) -> list[PublishResult]:
    """Trouble with one pull request does not keep the others waiting."""
    return [_tried(world, pull, flags, dry_run=dry_run) for pull in wanted]


def _tried(
    world: CliContext, pull: PullRequest, flags: dict[str, object], *, dry_run: bool
) -> PublishResult:
    try:
        return _one(world, pull, flags, dry_run=dry_run)
    except (CannotCollect, CannotFetch, CannotPublish, CannotRead) as error:
        return PublishResult(pull.number, note=error.problem, error=error)


def refactorings(world: CliContext, *, dry_run: bool = False) -> list[PublishResult]:
    """Patch sets of what was asked about paths by hand, against today's default branch."""
    settings = world.config()
    remote = settings.state.remote
    looker = ChangeFinder(world.repository, remote)
    name = world.repository.default_branch(remote)
    head = world.repository.resolve(name or "HEAD")
    branch = (name or world.repository.current_branch() or "main").removeprefix(f"{remote}/")
    refactorer = RefactoringPublisher(
        world.shared(settings),
        world.forge,
        Branches(world.repository.git, remote),
        PatchFolder(world.patches),
        world.run,
        world.slug,
        world.now,
    )
    target = PatchTarget(branch, head, looker.head(head), looker.readers(head))
    return refactorer.publish(target, dry_run=dry_run)


def pulls(world: CliContext, pr: int | None) -> list[PullRequest]:
    """The one named; the event's; on a schedule all open ones with news; else the branch's."""
    number = pr if pr is not None else event_pull(world)
    if number is not None:
        return [world.forge.get_pull_request(number)]
    if world.runner:
        view = world.shared(world.config()).view()
        if not view.plans:
            return []
        return [
            pull for pull in world.forge.list_open_pull_requests() if has_news(view, pull.number, world.now())
        ]
    branch = world.repository.current_branch()
    found = world.forge.list_pull_requests_of_branch(branch) if branch else []
    if not found:
        raise BadUsage(
            "this branch has no open pull request" if branch else "HEAD is on no branch",
            "name one: `claude-batch publish --pr N`",
        )
    return found


def _one(
    world: CliContext, pull: PullRequest, flags: dict[str, object], *, dry_run: bool
) -> PublishResult:
    if pull.state != "open":
        settings = world.config(flags=flags)
        return _publisher(world, world.shared(settings)).close(pull)
    looker = ChangeFinder(world.repository)
    comparison = looker.compare_pull(world.forge, pull)
    settings = world.config(pull.base_sha, flags)
    ledger = world.shared(settings)
    look = looker.diff(comparison, settings.exclude)
    head = comparison.head or pull.head_sha
    scene = PullRequestState(
        pull,
        look.diff,
        look.tasks(_kinds(settings, ledger, pull.number)),
        looker.head(head),
        settings,
        looker.readers(head),
    )
    return _publisher(world, ledger).publish(scene, dry_run=dry_run)


def _kinds(settings: Config, ledger: Ledger, number: int) -> tuple[Kind, ...]:
    plans = [plan for plan in ledger.view().plans if plan.pr == number]
    return kinds_beside(settings, (kind for plan in plans for kind in plan.kinds))


def _publisher(world: CliContext, ledger: Ledger) -> Publisher:
    return Publisher(ledger, world.forge, world.claude, world.run, world.slug, world.now)
