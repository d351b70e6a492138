"""Fetch objects that a shallow or partial clone lacks."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from claude_batch.errors import CannotFetch, CannotRead
from claude_batch.git.errors import explain_failure, is_unreachable
from claude_batch.git.objects import ObjectReader
from claude_batch.git.process import Git

OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
DEEPEN = ("--deepen=50", "--deepen=200", "--unshallow")

FETCH = (
    *("fetch", "--quiet", "--no-write-fetch-head", "--no-tags", "--no-prune"),
    *("--no-auto-maintenance", "--no-recurse-submodules", "--stdin"),
)

DEEP_CHECKOUT = "set `fetch-depth: 0` on actions/checkout, or run `git fetch --unshallow`"


@dataclass(frozen=True)
class ObjectFetcher:
    """Fetches commits and blobs from one remote. `common_dir` has the list of shallow commits."""

    git: Git
    objects: ObjectReader
    common_dir: Path
    remote: str
    tips: dict[str, str | None] = field(default_factory=dict)  # by branch

    def tip(self, branch: str) -> str | None:
        """The newest commit of a branch on the remote. Each branch is looked up once.

        None without such a branch. Raises CannotFetch.
        """
        if branch not in self.tips:
            ref = f"refs/heads/{branch}"
            result = self.git.run("ls-remote", "--", self.remote, ref, check=False)
            if is_unreachable(result.err):
                error = explain_failure(result.err, ref, self.remote, "stored")
                raise CannotFetch(error.problem, error.remedy)
            if result.code:
                raise CannotFetch(
                    f"the branch {branch} of `{self.remote}` could not be looked up: "
                    f"{result.error_line}",
                    f"check the network and that `git fetch {self.remote}` has credentials",
                )
            # A pattern of ls-remote also matches the end of a longer name.
            lines = (line.split("\t") for line in result.out.decode().splitlines())
            self.tips[branch] = next((oid for oid, name in lines if name == ref), None)
        return self.tips[branch]

    def merge_base(self, base: str, head: str) -> str:
        """The merge base of two commits. Deepens a shallow clone step by step to find it."""
        merge_base = self._known_merge_base(base, head)
        for depth_option in DEEPEN:
            if merge_base or not self.git.is_shallow():
                break
            # A boundary was fetched once, so the remote has it; a local head it may not have.
            self._fetch((self.common_dir / "shallow").read_text().split(), depth_option)
            merge_base = self._known_merge_base(base, head)
        if not merge_base:
            raise CannotRead(
                f"{base} and {head} have no commit in common",
                "compare commits of one history; `git merge-base A B` prints the one they share",
            )
        return merge_base

    def _known_merge_base(self, base: str, head: str) -> str | None:
        result = self.git.run("merge-base", base, head, check=False)
        return None if result.code else result.out.decode().split()[0]

    def fetch_missing(self, commits: Sequence[str]) -> None:
        """Fetch the commits that are missing here. Raises CannotFetch."""
        for commit in commits:
            if not OID.fullmatch(commit):
                raise CannotRead(f"`{commit}` is not a commit id", "give the full id of a commit")
        missing = [oid for oid in commits if oid not in self.objects.sizes(commits)]
        if missing:
            # In a full clone a depth would cut off the history that is there.
            self._fetch(missing, *(["--depth=1"] if self.git.is_shallow() else []))

    def _fetch(self, oids: Iterable[str], *options: str) -> None:
        stdin = "".join(f"{oid}\n" for oid in oids).encode()
        result = self.git.run(*FETCH, *options, "--", self.remote, stdin=stdin, check=False)
        if result.code:
            raise CannotFetch(
                f"commits that are not here could not be fetched from `{self.remote}`: "
                f"{result.error_line}",
                f"{DEEP_CHECKOUT}; otherwise check the network and that `git fetch "
                f"{self.remote}` has credentials",
            )

    def prefetch(self, blobs: Collection[str]) -> None:
        """In a partial clone git would fetch missing blobs one by one."""
        key = f"remote.{self.remote}.promisor"
        promisor = self.git.run("config", "--type=bool", "--get", key, check=False)
        if blobs and promisor.out.strip() == b"true":
            self._fetch(blobs, "--filter=blob:none")
