"""Open the repository, the ledgers and the two APIs that a command uses.

Nothing connects before its first call.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.cli import clock
from claude_batch.cli.configuration import load_config
from claude_batch.cli.options import print_status
from claude_batch.config.model import Config
from claude_batch.environment import environment
from claude_batch.environment_checks import check_certificates, github_token
from claude_batch.errors import BadUsage, CannotFetch, CannotRecord, RemoteUnavailable
from claude_batch.git import plumbing
from claude_batch.git.repository import Repository
from claude_batch.git.work_tree import WorkTree
from claude_batch.github_actions.runner import Runner
from claude_batch.github_api.client import GitHubClient
from claude_batch.ledger.events import Stamp
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.store import Ledger
from claude_batch.reconcile.reconciler import Reconciler
from claude_batch.submission.inputs import new_id
from claude_batch.submission.local_answers import LocalAnswers
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.settings import WaitingSettings

LOCAL_REF = "refs/claude-batch/local"
REMOTE_NAME = re.compile(r"[:/]([^/:]+/[^/:]+?)(?:\.git)?/?$")


def open_repository(directory: Path, environ: Mapping[str, str] | None = None) -> Repository:
    """The repository of a directory. Every function below takes its environment."""
    environ = environment() if environ is None else environ
    check_certificates(environ)  # libgit2 reads them when it is imported
    repository = Repository.open(directory, environ)
    token, url = _git_token(repository), repository.remote_url("origin")
    if not token or not url:
        return repository
    # In CI with the job's token, because a checkout need not keep credentials.
    return repository.with_config(plumbing.token_config(url, token))


def open_with_ledgers(directory: Path) -> tuple[Repository, Config, list[GitLedger]]:
    """The repository of a directory, its configuration and all ledgers that it can read."""
    repository = open_repository(directory)
    config = load_config(repository)
    return repository, config, open_ledgers(repository, config)


def open_work_tree(repository: Repository, command: str) -> WorkTree:
    """The work tree, for a command that writes to it. Raises BadUsage in a bare repository."""
    if repository.root is None:
        raise BadUsage("this is a bare repository", f"run {command} in a clone with a work tree")
    return WorkTree(repository.root)


def ci_runner(repository: Repository) -> Runner | None:
    return Runner.from_environ(repository.git.environ)


def repository_name(repository: Repository) -> str:
    """OWNER/NAME on GitHub: from the environment, else from the URL of the remote."""
    configured = repository.git.environ.get("GITHUB_REPOSITORY")
    if configured:
        return configured
    match = REMOTE_NAME.search(repository.remote_url("origin") or "")
    folder = repository.root or repository.git.directory
    return match[1] if match else f"local/{folder.resolve().name}"


@cache
def _process_id() -> str:
    return new_id()[:8]


def run_id(repository: Repository) -> str:
    """The name of the CI run and this process, or of this process alone, in the ledger."""
    number = repository.git.environ.get("GITHUB_RUN_ID", "")
    attempt = repository.git.environ.get("GITHUB_RUN_ATTEMPT", "1")
    return f"gh{number}-{attempt}-{_process_id()}" if number.isdigit() else _process_id()


def event_stamp(repository: Repository) -> Stamp:
    return Stamp(run_id(repository), repository_name(repository), clock.utc_now)


def anthropic_client(repository: Repository) -> AnthropicClient:
    return AnthropicClient(repository.git.environ, sleep=clock.sleep)


def github_client(repository: Repository) -> GitHubClient:
    return GitHubClient(repository.git.environ, repository_name(repository), sleep=clock.sleep)


def open_shared_ledger(
    repository: Repository, config: Config, opened: GitLedger | None = None
) -> GitLedger:
    """The ledger on the state branch; `opened` if it is that one, to reuse what it has read."""
    branch, remote = config.state.branch, config.state.remote
    ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
    if opened and (opened.ref, opened.remote) == (ref, remote):
        return opened
    if repository.remote_url(remote) is None:
        raise CannotFetch(
            f"this repository has no remote {remote!r} for the state branch",
            "add it with `git remote add`, or set `state.remote` in the configuration",
        )
    return _open_ledger(repository, ref, remote)


def open_local_ledger(repository: Repository) -> GitLedger:
    """The ledger in a ref of this clone."""
    return _open_ledger(repository, LOCAL_REF, None)


def open_ledger(repository: Repository, config: Config, *, share: bool) -> GitLedger:
    """The ledger for a submission: the shared one in CI and for what is shared."""
    if share or ci_runner(repository):
        return open_shared_ledger(repository, config)
    return open_local_ledger(repository)


def open_ledgers(repository: Repository, config: Config) -> list[GitLedger]:
    """All ledgers that this clone can read: the shared one, and outside of CI the local one.

    Without a remote that answers it is the local one alone, if there is one.
    """
    if ci_runner(repository):
        return [open_shared_ledger(repository, config)]
    local = open_local_ledger(repository)
    if repository.remote_url(config.state.remote) is None:
        return [local]
    shared = open_shared_ledger(repository, config)
    if local.tip():
        try:
            shared.preload()
        except RemoteUnavailable as error:
            print_status(f"note: the shared ledger could not be read: {error.problem}")
            return [local]
        except CannotRecord:
            pass  # raised again by the first use, after the work on the local ledger
    return [local, shared]


def find_shared_tasks(
    repository: Repository, config: Config, ids: Iterable[TaskId]
) -> frozenset[TaskId]:
    """The tasks that the shared ledger has answers for: a local submission need not pay again."""
    if repository.remote_url(config.state.remote) is None:
        return frozenset()
    try:
        return frozenset(open_shared_ledger(repository, config).view().known_tasks(ids))
    except CannotRecord as error:
        print_status(f"note: the shared ledger could not be read: {error.problem}")
        return frozenset()


def open_local_answers(
    repository: Repository, config: Config, shared: Ledger, local: Ledger | None = None
) -> LocalAnswers:
    """The answers of this clone's own ledger, for the shared one."""
    return LocalAnswers(
        local or open_local_ledger(repository),
        shared,
        WaitingSettings.from_config(config),
        clock.utc_now,
        keep_findings=config.retention == "answers",
    )


def open_reconciler(
    repository: Repository, config: Config, ledger: GitLedger, label: str = ""
) -> Reconciler:
    return Reconciler(
        repository,
        github_client(repository),
        anthropic_client(repository),
        ledger,
        config,
        lambda commit: load_config(repository, commit),
        event_stamp(repository),
        label,
        clock.utc_now(),
    )


def patch_folder(repository: Repository) -> Path:
    """The folder for patches, which the action's job keeps as an artifact."""
    folder = repository.git.environ.get("RUNNER_TEMP")
    return (Path(folder) if folder else repository.git.directory) / "claude-batch-patches"


def _open_ledger(repository: Repository, ref: str, remote: str | None) -> GitLedger:
    return GitLedger(
        repository.git,
        ref,
        remote,
        run_id(repository),
        now=clock.utc_now,
        sleep=clock.sleep,
        token=_git_token(repository) if remote else None,
    )


def _git_token(repository: Repository) -> str | None:
    """The job's token in CI. Elsewhere git's own credentials are used."""
    return github_token(repository.git.environ) or None if ci_runner(repository) else None
