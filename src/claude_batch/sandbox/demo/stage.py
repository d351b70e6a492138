"""The stage of `demo`: a clone whose origin and whose APIs are the two test servers."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from claude_batch.git.process import Git
from claude_batch.git.repository import Repository
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.demo.page import render_page
from claude_batch.sandbox.demo.sample import make_sample
from claude_batch.sandbox.github_server.server import GitHubServer
from claude_batch.tasks.sources import RangeSource, parse_range

BASE, HEAD = "main", "demo"

NOTE = (
    "Written by a handful of rules of the sandbox, not by Claude. Nothing left this machine, and "
    "the dollars are what the tokens would cost."
)

BATCH_SECONDS = 2.0


@dataclass(frozen=True)
class DemoStage:
    """A clone whose origin and whose APIs are the sandbox."""

    clone: Path
    environ: Mapping[str, str]
    pull: int
    title: str
    github: GitHubServer

    def render_page(self) -> str:
        """Return the pull request's conversation as one HTML file."""
        items = self.github.conversation(self.pull)
        return render_page(self.title, "octocat", BASE, HEAD, items, note=NOTE)


@contextmanager
def open_stage(
    environ: Mapping[str, str], repo: Path | None, range_: str | None
) -> Iterator[DemoStage]:
    """Serve the sample repository, or a range of the user's `repo`, which is only read."""
    with tempfile.TemporaryDirectory(prefix="claude-batch-demo-") as folder:
        home = Path(folder)
        clean = _without_credentials(environ)
        bare = home / "origin.git"
        title = _create_origin(bare, home, clean, repo, range_)
        with BatchesServer(seconds=BATCH_SECONDS) as batches, GitHubServer(bare, clean) as github:
            number = github.open_pull(title, HEAD, BASE)
            variables = clean | {
                "ANTHROPIC_API_KEY": "sandbox",
                "ANTHROPIC_BASE_URL": batches.url,
                "GITHUB_TOKEN": "sandbox",
                "GITHUB_API_URL": github.url,
                "GITHUB_REPOSITORY": github.repository,
            }
            clone = home / "clone"
            _clone(clone, github.clone_url, bare, variables)
            yield DemoStage(clone, variables, number, title, github)


def _without_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the user's keys, CI and proxy for loopback."""
    prefixes = ("ANTHROPIC_", "GITHUB_", "GH_", "CLAUDE_BATCH_", "ACTIONS_")
    kept = {name: value for name, value in environ.items() if not name.startswith(prefixes)}
    return kept | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def _create_origin(
    bare: Path, home: Path, environ: Mapping[str, str], repo: Path | None, range_: str | None
) -> str:
    """Create a bare repository with the branches BASE and HEAD. Return the pull request's title."""
    if repo is None:
        sample = make_sample(home / "sample", environ)
        path, source, title = sample.path, RangeSource(sample.base, sample.head), sample.title
    else:
        path, source = repo.resolve(), parse_range(range_ or "HEAD~1..HEAD")
        title = f"{path.name}: {range_ or 'the last commit'}"
    repository = Repository.open(path, environ)
    base, head = repository.resolve(source.base or "HEAD~1"), repository.resolve(source.head)
    _borrow_objects(bare, repository, {BASE: base, HEAD: head}, environ)
    return title


def _borrow_objects(
    bare: Path, source: Repository, branches: Mapping[str, str], environ: Mapping[str, str]
) -> None:
    """Create a bare repository with these branches. Its objects stay in `source`."""
    object_format = source.git.run("rev-parse", "--show-object-format").out.decode().strip()
    outside = Git(environ, bare.parent, is_git_dir=False)
    outside.run("init", "--quiet", "--bare", f"--object-format={object_format}", str(bare))
    (bare / "objects/info/alternates").write_text(f"{source.common_dir / 'objects'}\n")
    if (source.common_dir / "shallow").exists():
        shutil.copy(source.common_dir / "shallow", bare / "shallow")
    inside = Git(environ, bare)
    for name, commit in branches.items():
        inside.run("update-ref", f"refs/heads/{name}", commit)
    inside.run("symbolic-ref", "HEAD", f"refs/heads/{BASE}")


def _clone(path: Path, url: str, bare: Path, environ: Mapping[str, str]) -> None:
    """Clone over HTTP, but with the objects of `bare`: nothing large is copied."""
    with_token = url.replace("://", "://x-access-token:sandbox@")
    Git(environ, path.parent, is_git_dir=False).run(
        "clone", "--quiet", "--bare", "--reference", str(bare), with_token, str(path)
    )
