"""`demo`: submit, collect and publish on this machine, against the two test servers."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from claude_batch.batches.collect_result import CollectResult
from claude_batch.git.process import Git
from claude_batch.git.repository import Repository
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.demo.page import render_page
from claude_batch.sandbox.demo.sample import make_sample
from claude_batch.sandbox.github_server.server import GitHubServer
from claude_batch.submission.planner import SubmitResult
from claude_batch.tasks.sources import RangeSource, parse_range

BASE, HEAD = "main", "demo"

NOTE = (
    "Written by a handful of rules of the sandbox, not by Claude. Nothing left this machine, and "
    "the dollars are what the tokens would cost."
)

SECONDS = 2.0  # how long a batch takes in the demo


@dataclass(frozen=True)
class DemoStage:
    """A clone whose origin and whose APIs are the sandbox."""

    clone: Path
    environ: Mapping[str, str]
    pull: int
    title: str
    github: GitHubServer

    def page(self) -> str:
        """The pull request's conversation as one HTML file."""
        said = self.github.conversation(self.pull)
        return render_page(self.title, "octocat", BASE, HEAD, said, note=NOTE)


@dataclass(frozen=True)
class DemoActions:
    """The commands of a demo, bound to its stage. Each prints its result as soon as it has it."""

    submit: Callable[[], SubmitResult]
    collect: Callable[[], CollectResult]
    publish: Callable[[], PublishResult]


@dataclass(frozen=True)
class DemoResult:
    """The results of the three steps of a demo."""

    submission: SubmitResult
    collection: CollectResult
    published: PublishResult


def demo(verbs: DemoActions) -> DemoResult:
    return DemoResult(verbs.submit(), verbs.collect(), verbs.publish())


@contextmanager
def stage(environ: Mapping[str, str], repo: Path | None, wanted: str | None) -> Iterator[DemoStage]:
    """The sample, or a range of the user's own repository, of which nothing is touched."""
    with tempfile.TemporaryDirectory(prefix="claude-batch-demo-") as folder:
        home = Path(folder)
        clean = _without_identity(environ)
        bare = home / "origin.git"
        title = _fill(bare, home, clean, repo, wanted)
        with BatchesServer(seconds=SECONDS) as batches, GitHubServer(bare, clean) as hub:
            number = hub.open_pull(title, HEAD, BASE)
            world = clean | {
                "ANTHROPIC_API_KEY": "sandbox",
                "ANTHROPIC_BASE_URL": batches.url,
                "GITHUB_TOKEN": "sandbox",
                "GITHUB_API_URL": hub.url,
                "GITHUB_REPOSITORY": hub.repository,
            }
            clone = home / "clone"
            _clone(clone, hub.clone_url, bare, world)
            yield DemoStage(clone, world, number, title, hub)


def _without_identity(environ: Mapping[str, str]) -> dict[str, str]:
    """Neither keys nor CI of the user's reach the demo, nor a proxy that would catch loopback."""
    prefixes = ("ANTHROPIC_", "GITHUB_", "GH_", "CLAUDE_BATCH_", "ACTIONS_")
    kept = {name: value for name, value in environ.items() if not name.startswith(prefixes)}
    return kept | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def _fill(
    bare: Path, home: Path, environ: Mapping[str, str], repo: Path | None, wanted: str | None
) -> str:
    """Branches BASE and HEAD in a new bare repository; the pull request's title."""
    if repo is None:
        sample = make_sample(home / "sample", environ)
        path, asked, title = sample.path, RangeSource(sample.base, sample.head), sample.title
    else:
        path, asked = repo.resolve(), parse_range(wanted or "HEAD~1..HEAD")
        title = f"{path.name}: {wanted or 'the last commit'}"
    source = Repository.open(path, environ)
    base, head = source.resolve(asked.base or "HEAD~1"), source.resolve(asked.head)
    borrow(bare, source, {BASE: base, HEAD: head}, environ)
    return title


def borrow(
    bare: Path, source: Repository, branches: Mapping[str, str], environ: Mapping[str, str]
) -> None:
    """A bare repository with these branches. Objects are borrowed: the source is only read."""
    form = source.git.run("rev-parse", "--show-object-format").out.decode().strip()
    outside = Git(environ, bare.parent, is_git_dir=False)
    outside.run("init", "--quiet", "--bare", f"--object-format={form}", str(bare))
    (bare / "objects/info/alternates").write_text(f"{source.common_dir / 'objects'}\n")
    if (source.common_dir / "shallow").exists():
        shutil.copy(source.common_dir / "shallow", bare / "shallow")
    inside = Git(environ, bare)
    for name, commit in branches.items():
        inside.run("update-ref", f"refs/heads/{name}", commit)
    inside.run("symbolic-ref", "HEAD", f"refs/heads/{BASE}")


def _clone(path: Path, url: str, bare: Path, environ: Mapping[str, str]) -> None:
    """Over HTTP, but with the objects at hand: nothing large is copied or checked out."""
    with_token = url.replace("://", "://x-access-token:sandbox@")
    Git(environ, path.parent, is_git_dir=False).run(
        "clone", "--quiet", "--bare", "--reference", str(bare), with_token, str(path)
    )
