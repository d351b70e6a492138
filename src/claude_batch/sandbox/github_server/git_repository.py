"""The bare repository of the GitHub test server."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from claude_batch.diff.model import Hunk
from claude_batch.diff.parser import parse_hunks
from claude_batch.git.process import Git

NO_COMMIT = "0" * 40
STATUSES = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "T": "changed"}
DIFF = ("diff-tree", "-r", "-M", "--no-color", "--no-ext-diff", "--no-textconv", "--full-index")


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One file of a pull request's diff."""

    path: str
    old_path: str
    status: str  # GitHub's words
    blob: str
    patch: str  # from the first @@ on; empty for a binary file or a pure rename
    hunks: tuple[Hunk, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    name: str
    email: str
    date: str


@dataclass(frozen=True, slots=True)
class CommitDetails:
    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


class BareRepository:
    """The repository. Diffs and merge bases are cached by their commits' ids."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path = path
        self.git = Git(environ, path)
        self._diffs: dict[tuple[str, str], tuple[ChangedFile, ...]] = {}
        self._bases: dict[tuple[str, str], str | None] = {}

    def refs(self) -> dict[str, str]:
        out = self.git.run("for-each-ref", "--format=%(objectname) %(refname)").out.decode()
        return {name: sha for sha, name in (line.split(" ", 1) for line in out.splitlines())}

    def commit_id(self, revision: str) -> str | None:
        """Return the full id of a branch, tag or commit; None if there is none."""
        for candidate in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            spec = f"{candidate}^{{commit}}"
            done = self.git.run(
                "rev-parse", "--verify", "--quiet", "--end-of-options", spec, check=False
            )
            if done.code == 0:
                return done.out.decode().strip()
        return None

    def object_type(self, sha: str) -> str | None:
        done = self.git.run("cat-file", "-t", sha, check=False)
        return done.out.decode().strip() if done.code == 0 else None

    def merge_base(self, base: str, head: str) -> str | None:
        key = (base, head)
        if key not in self._bases:
            done = self.git.run("merge-base", base, head, check=False)
            self._bases[key] = done.out.decode().strip() if done.code == 0 else None
        return self._bases[key]

    def commits_between(self, base: str, head: str) -> list[str]:
        """Return the commits of `head` that `base` lacks, oldest first."""
        out = self.git.run("rev-list", "--reverse", "--topo-order", f"{base}..{head}").out
        return out.decode().split()

    def update_ref(self, ref: str, new: str, old: str) -> bool:
        """Compare and swap, and return if that worked. NO_COMMIT for a ref that must not exist."""
        return self.git.run("update-ref", ref, new, old, check=False).code == 0

    def changes(self, base: str, head: str) -> tuple[ChangedFile, ...]:
        """Return the changes of `git diff base...head`."""
        key = (self.merge_base(base, head) or base, head)
        if key not in self._diffs:
            self._diffs[key] = self._read_changes(*key)
        return self._diffs[key]

    def _read_changes(self, old: str, new: str) -> tuple[ChangedFile, ...]:
        raw = self.git.run(*DIFF, "--raw", "-z", old, new).out.decode("utf-8", "replace")
        files = []
        fields = iter(raw.split("\0"))
        for field in fields:
            if not field.startswith(":"):
                continue
            *_, blob, letter = field.split(" ")
            old_path = next(fields)
            path = next(fields) if letter[0] in "RC" else old_path
            patch = self._patch(old, new, old_path, path)
            status = STATUSES.get(letter[0], "changed")
            text = patch.decode("utf-8", "replace")
            files.append(ChangedFile(path, old_path, status, blob, text, parse_hunks(patch)))
        return tuple(files)

    def _patch(self, old: str, new: str, *paths: str) -> bytes:
        pathspecs = [f":(literal){path}" for path in dict.fromkeys(paths)]
        diff = self.git.run(*DIFF, "-p", "-U3", old, new, "--", *pathspecs).out
        start = diff.find(b"\n@@ ") + 1
        return diff[start:] if start else b""

    def edits(self, old: str, new: str, path: str) -> tuple[Hunk, ...]:
        """Return the hunks, without context, between two commits' versions of a file."""
        args = (*DIFF, "-p", "-U0", old, new, "--", f":(literal){path}")
        return parse_hunks(self.git.run(*args).out)

    def commit(self, sha: str) -> CommitDetails:
        layout = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"
        out = self.git.run("show", "-s", f"--format={layout}", sha).out.decode("utf-8", "replace")
        full, tree, parents, *people, message = out.split("\0")
        return CommitDetails(
            full,
            tree,
            tuple(parents.split()),
            Signature(*people[:3]),
            Signature(*people[3:]),
            message.strip("\n"),
        )

    def merge(self, base: str, head: str, message: str) -> str | None:
        """Return the id of a new merge commit, None on a conflict."""
        merged = self.git.run("merge-tree", "--write-tree", base, head, check=False)
        if merged.code:
            return None
        tree = merged.out.decode().splitlines()[0]
        identity = {"GIT_AUTHOR_NAME": "GitHub", "GIT_AUTHOR_EMAIL": "noreply@github.com"}
        identity |= {"GIT_COMMITTER_NAME": "GitHub", "GIT_COMMITTER_EMAIL": "noreply@github.com"}
        args = ("commit-tree", tree, "-p", base, "-p", head, "-m", message)
        return self.git.run(*args, extra_environ=identity).out.decode().strip()
