"""`claude-batch publish`."""

from collections.abc import Mapping
from typing import Annotated

import typer

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.cli import clock
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import (
    anthropic_client,
    ci_runner,
    github_client,
    open_repository,
    open_shared_ledger,
    patch_folder,
    repository_name,
    run_id,
)
from claude_batch.cli.options import HERE, Directory, FormatFlag, command_app, print_result
from claude_batch.cli.output.publish_result import publish_document, publish_text
from claude_batch.cli.source_options import PrFlag, event_pull_request
from claude_batch.errors import BadUsage, CannotCollect, CannotFetch, CannotPublish, CannotRead
from claude_batch.git.branches import Branches
from claude_batch.git.patch import PatchFolder
from claude_batch.git.repository import Repository
from claude_batch.github_api.client import GitHubClient
from claude_batch.github_api.models import PullRequest
from claude_batch.ledger.git_store import GitLedger
from claude_batch.pull_requests.news import latest_news
from claude_batch.pull_requests.publish import Publisher, PublishResult
from claude_batch.pull_requests.refactorings import RefactoringPublisher, load_patch_target
from claude_batch.pull_requests.review_input import load_pull_request
from claude_batch.reconcile.decide import due_publications
from claude_batch.tasks.discovery import ChangeFinder, with_fresh_base

app = command_app()


@app.command()
def publish(
    pr: PrFlag = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be posted.")
    ] = False,
    fail_on: Annotated[
        str | None, typer.Option("--fail-on", help="Exit 1 on findings of this severity or above.")
    ] = None,
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Post recorded findings on pull requests."""
    repository = open_repository(directory)
    number = pr if pr is not None else event_pull_request(repository)
    results = run(repository, number, {"fail_on": fail_on}, dry_run=dry_run)
    print_result(results, publish_document, publish_text, output_format)
    for result in results:
        if result.error:
            raise result.error
    if any(result.failing for result in results):
        raise typer.Exit(1)


def run(
    repository: Repository,
    number: int | None,
    flags: Mapping[str, object],
    ledger: GitLedger | None = None,
    *,
    dry_run: bool = False,
) -> list[PublishResult]:
    """Publish on one pull request; without `number` on all with news, refactorings included.

    `ledger` is the shared one if it is open already.
    """
    github, anthropic = github_client(repository), anthropic_client(repository)
    if number is not None:
        pulls = [github.get_pull_request(number)]
    elif ci_runner(repository):
        ledger = open_shared_ledger(repository, load_config(repository), ledger)
        pulls = find_pull_requests_with_news(github, ledger)
    else:
        pulls = find_pull_requests_of_branch(repository, github)
    results = [
        _publish(repository, github, anthropic, pull, flags, ledger, dry_run=dry_run)
        for pull in pulls
    ]
    if number is None and ci_runner(repository):
        results += publish_refactorings(repository, github, ledger, dry_run=dry_run)
    return results


def find_pull_requests_with_news(github: GitHubClient, ledger: GitLedger) -> list[PullRequest]:
    state = ledger.view()
    if not state.plans:
        return []
    news = latest_news(state, clock.utc_now())
    return due_publications(state, github.list_open_pull_requests(), news)


def find_pull_requests_of_branch(repository: Repository, github: GitHubClient) -> list[PullRequest]:
    """The open pull requests of the current branch. Raises BadUsage if there are none."""
    branch = repository.current_branch()
    pulls = github.list_pull_requests_of_branch(branch) if branch else []
    if not pulls:
        raise BadUsage(
            "this branch has no open pull request" if branch else "HEAD is on no branch",
            "name one: `claude-batch publish --pr N`",
        )
    return pulls


def _publish(
    repository: Repository,
    github: GitHubClient,
    anthropic: AnthropicClient,
    pull: PullRequest,
    flags: Mapping[str, object],
    ledger: GitLedger | None,
    *,
    dry_run: bool,
) -> PublishResult:
    # A failure of one pull request must not stop the others.
    try:
        is_open = pull.state == "open"
        pull = with_fresh_base(repository, pull) if is_open else pull
        comparison = ChangeFinder(repository).compare_pull(github, pull) if is_open else None
        config = load_config(repository, pull.base_sha if is_open else None, flags)
        ledger = open_shared_ledger(repository, config, ledger)
        run, name = run_id(repository), repository_name(repository)
        publisher = Publisher(ledger, github, anthropic, run, name, clock.utc_now)
        if comparison is None:
            return publisher.close(pull)
        current = load_pull_request(repository, pull, comparison, ledger.view(), config)
        return publisher.publish(current, dry_run=dry_run)
    except (CannotCollect, CannotFetch, CannotPublish, CannotRead) as error:
        return PublishResult(pull.number, note=error.problem, error=error)


def publish_refactorings(
    repository: Repository,
    github: GitHubClient,
    ledger: GitLedger | None = None,
    *,
    dry_run: bool = False,
) -> list[PublishResult]:
    """Propose refactorings that were requested by path, against the default branch."""
    config = load_config(repository)
    publisher = RefactoringPublisher(
        open_shared_ledger(repository, config, ledger),
        github,
        Branches(repository.git, config.state.remote),
        PatchFolder(patch_folder(repository)),
        run_id(repository),
        repository_name(repository),
        clock.utc_now,
    )
    target = load_patch_target(repository, config.state.remote)
    return publisher.publish(target, dry_run=dry_run)
