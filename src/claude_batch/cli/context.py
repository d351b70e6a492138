"""Flags, file and environment become one Config and the edges that a verb is handed."""

import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.request_body import BodySpool
from claude_batch.cli.options import print_status
from claude_batch.config import loader as config_table
from claude_batch.config.model import Config
from claude_batch.costs.custom_rates import apply_custom_rates
from claude_batch.costs.prices import Prices
from claude_batch.environment import environment
from claude_batch.errors import BadUsage, CannotFetch, CannotRecord
from claude_batch.git import plumbing
from claude_batch.git.repository import Repository
from claude_batch.git.work_tree import WorkTree
from claude_batch.github_actions.runner import Runner
from claude_batch.github_api.client import GitHubClient
from claude_batch.ledger.git_store import GitLedger
from claude_batch.prompts import kinds as prompts_kinds
from claude_batch.submission.planner import SubmissionPlanner
from claude_batch.tasks.task import Kind, TaskId

LOCAL_REF = "refs/claude-batch/local"
SLUG = re.compile(r"[:/]([^/:]+/[^/:]+?)(?:\.git)?/?$")


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    return uuid.uuid4().hex[:16]


@dataclass(frozen=True)
class CliContext:
    """The outside of one invocation. Each edge is built when first asked for."""

    directory: Path
    environ: Mapping[str, str] = field(default_factory=environment)
    now: Callable[[], datetime] = utc_now
    sleep: Callable[[float], None] = time.sleep
    _stores: dict[tuple[str, str | None], GitLedger] = field(default_factory=dict, init=False)

    @cached_property
    def runner(self) -> Runner | None:
        return Runner.from_environ(self.environ)

    @cached_property
    def repository(self) -> Repository:
        """In CI with the job's token: a checkout need not keep credentials."""
        found = Repository.open(self.directory, self.environ)
        token, url = self._git_token(), found.remote_url("origin")
        if not token or not url:
            return found
        config = plumbing.token_config(url, token)
        return Repository.open(self.directory, self.environ, config=config)

    def work_tree(self, command: str) -> WorkTree:
        """For a command that writes to it. Raises BadUsage in a bare repository."""
        if self.repository.root is None:
            remedy = f"run {command} in a clone with a work tree"
            raise BadUsage("this is a bare repository", remedy)
        return WorkTree(self.repository.root)

    @cached_property
    def run(self) -> str:
        """Who writes to the ledger: the CI run, or this process."""
        number = self.environ.get("GITHUB_RUN_ID", "")
        attempt = self.environ.get("GITHUB_RUN_ATTEMPT", "1")
        own = new_id()[:8]
        return f"gh{number}-{attempt}-{own}" if number.isdigit() else own

    @cached_property
    def slug(self) -> str:
        """The repository as GitHub names it: from the environment, else from the remote's URL."""
        named = self.environ.get("GITHUB_REPOSITORY")
        if named:
            return named
        url = self.repository.remote_url("origin") or ""
        match = SLUG.search(url)
        return match[1] if match else f"local/{self.directory.resolve().name}"

    @cached_property
    def claude(self) -> AnthropicClient:
        return AnthropicClient(self.environ, sleep=self.sleep)

    @cached_property
    def forge(self) -> GitHubClient:
        return GitHubClient(self.environ, self.slug, sleep=self.sleep)

    @staticmethod
    def prices(settings: Config) -> Prices:
        """The table that ships, with the rates that the configuration has negotiated."""
        return apply_custom_rates(Prices.load(), settings.prices)

    def config(
        self, commit: str | None = None, flags: Mapping[str, object] | None = None
    ) -> Config:
        """From a commit (what a pull request is judged by is its base), else from the work tree.

        The action's inputs come as CLAUDE_BATCH_* variables; flags win over them.
        """
        names = (config_table.OWN_FILE, config_table.PYPROJECT)
        if commit is None and self.repository.root is None:
            commit = "HEAD"  # a bare repository has no work tree to look into
        if commit is not None:
            files = {name: self.repository.blob(commit, name) for name in names}
        else:
            root = self.repository.root or self.directory
            files = {name: _read(root / name) for name in names}
        inputs = {
            key: self.environ.get(f"CLAUDE_BATCH_{key.upper()}") or None
            for key in ("model", "fail_on", "budget", "max_comments")
        }
        said = config_table.override(config_table.choose(files), **inputs)
        return config_table.override(said, **(flags or {}))

    def claimant(self, settings: Config, wanted: Sequence[Kind] = ()) -> SubmissionPlanner:
        chosen = tuple(wanted) or kinds(settings)
        prices, keep = self.prices(settings), BodySpool().store
        return SubmissionPlanner(settings, chosen, prices, self.now(), new_id, keep)

    def shared(self, settings: Config) -> GitLedger:
        """The state branch on the remote."""
        branch = settings.state.branch
        ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
        if self.repository.remote_url(settings.state.remote) is None:
            raise CannotFetch(
                f"this repository has no remote {settings.state.remote!r} for the state branch",
                "add it with `git remote add`, or set `state.remote` in the configuration",
            )
        return self._store(ref, settings.state.remote)

    def known_elsewhere(self, settings: Config, ids: Iterable[TaskId]) -> frozenset[TaskId]:
        """What the shared ledger knows already: nobody pays for it a second time on a laptop."""
        if self.repository.remote_url(settings.state.remote) is None:
            return frozenset()
        try:
            return frozenset(self.shared(settings).view().known_tasks(ids))
        except CannotRecord as error:
            print_status(f"note: the shared ledger was not asked what it knows: {error.problem}")
            return frozenset()

    def local(self) -> GitLedger:
        """A ref of this clone: what nobody else needs to see."""
        return self._store(LOCAL_REF, None)

    def ledger_for(self, settings: Config, *, share: bool) -> GitLedger:
        """Where a submission is recorded: in CI, and for pull requests, on the shared branch."""
        return self.shared(settings) if share or self.runner else self.local()

    def ledgers(self, settings: Config) -> Sequence[GitLedger]:
        """Every ledger that this place can see: one in CI, on a laptop the clone's own too."""
        if self.runner:
            return [self.shared(settings)]
        if self.repository.remote_url(settings.state.remote) is None:
            return [self.local()]
        return [self.local(), self.shared(settings)]

    def _store(self, ref: str, remote: str | None) -> GitLedger:
        """The same for all verbs of a run: what one of them has read the next need not."""
        if (ref, remote) not in self._stores:
            self._stores[ref, remote] = GitLedger(
                self.repository.git,
                ref,
                remote,
                self.run,
                now=self.now,
                sleep=self.sleep,
                token=self._git_token() if remote else None,
            )
        return self._stores[ref, remote]

    @property
    def patches(self) -> Path:
        """Where patches are left for the job to keep as artifacts."""
        folder = self.environ.get("RUNNER_TEMP")
        return (Path(folder) if folder else self.repository.git.where) / "claude-batch-patches"

    def _git_token(self) -> str | None:
        """In CI the job's token pushes the state; elsewhere git's own set-up does."""
        if not self.runner:
            return None
        return self.environ.get("GITHUB_TOKEN") or self.environ.get("GH_TOKEN")


def kinds(settings: Config) -> tuple[Kind, ...]:
    try:
        return tuple(prompts_kinds.kind_of(wanted) for wanted in settings.kinds)
    except KeyError as error:
        raise BadUsage(
            f"there is no kind {error.args[0]!r}",
            f"choose from {', '.join(prompts_kinds.SHIPPED)}, or define it under `kinds`",
        ) from error


def kinds_beside(settings: Config, asked: Iterable[str]) -> tuple[Kind, ...]:
    """Those of the configuration, and the shipped ones that somebody asked for by hand."""
    configured = kinds(settings)
    others = set(asked) & set(prompts_kinds.SHIPPED) - {kind.name for kind in configured}
    return configured + tuple(prompts_kinds.kind_of(name) for name in sorted(others))


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        return None
