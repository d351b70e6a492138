"""The bare repository behind the GitHub look-alike, as the questions that its API asks of it."""

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
    """Object ids do not change, so answers about them are kept."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path = path
        self.git = Git(environ, path)
        self._diffs: dict[tuple[str, str], tuple[ChangedFile, ...]] = {}
        self._bases: dict[tuple[str, str], str | None] = {}

    def refs(self) -> dict[str, str]:
        out = self.git.run("for-each-ref", "--format=%(objectname) %(refname)").out.decode()
        return {name: sha for sha, name in (row.split(" ", 1) for row in out.splitlines())}

    def commit_id(self, revision: str) -> str | None:
        """The full id of a branch, tag or commit that is here."""
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

    def is_ancestor(self, old: str, new: str) -> bool:
        return self.git.run("merge-base", "--is-ancestor", old, new, check=False).code == 0

    def commits_between(self, base: str, head: str) -> list[str]:
        """The commits of head that base has not, oldest first."""
        out = self.git.run("rev-list", "--reverse", "--topo-order", f"{base}..{head}").out
        return out.decode().split()

    def update_ref(self, ref: str, new: str, old: str) -> bool:
        """Compare and swap. `old` of zeros: the ref must not exist."""
        return self.git.run("update-ref", ref, new, old, check=False).code == 0

    def delete_ref(self, ref: str, old: str) -> bool:
        return self.git.run("update-ref", "-d", ref, old, check=False).code == 0

    def changes(self, base: str, head: str) -> tuple[ChangedFile, ...]:
        """`git diff base...head`: from their merge base to head."""
        key = (self.merge_base(base, head) or base, head)
        if key not in self._diffs:
            self._diffs[key] = self._read_changes(*key)
        return self._diffs[key]

    def _read_changes(self, old: str, new: str) -> tuple[ChangedFile, ...]:
        raw = self.git.run(*DIFF, "--raw", "-z", old, new).out.decode("utf-8", "replace")
        found = []
        cells = iter(raw.split("\0"))
        for row in cells:
            if not row.startswith(":"):
                continue
            *_, blob, status = row.split(" ")
            old_path = next(cells)
            path = next(cells) if status[0] in "RC" else old_path
            patch = self._patch(old, new, old_path, path)
            word = STATUSES.get(status[0], "changed")
            shown = patch.decode("utf-8", "replace")
            found.append(ChangedFile(path, old_path, word, blob, shown, parse_hunks(patch)))
        return tuple(found)

    def _patch(self, old: str, new: str, *paths: str) -> bytes:
        named = [f":(literal){path}" for path in dict.fromkeys(paths)]
        whole = self.git.run(*DIFF, "-p", "-U3", old, new, "--", *named).out
        start = whole.find(b"\n@@ ") + 1
        return whole[start:] if start else b""

    def edits(self, old: str, new: str, path: str) -> tuple[Hunk, ...]:
        """The hunks without context between two commits' versions of a file."""
        args = (*DIFF, "-p", "-U0", old, new, "--", f":(literal){path}")
        return parse_hunks(self.git.run(*args).out)

    def commit(self, sha: str) -> CommitDetails:
        form = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"
        out = self.git.run("show", "-s", f"--format={form}", sha).out.decode("utf-8", "replace")
        full, tree, parents, *people, message = out.split("\0")
        return CommitDetails(
            full,
            tree,
            tuple(parents.split()),
            Signature(*people[:3]),
            Signature(*people[3:]),
            message.strip("\n"),
        )

    def file(self, revision: str, path: str) -> tuple[str, bytes] | None:
        """Blob id and bytes, or None for what is not a file there."""
        spec = f"{revision}:{path}"
        done = self.git.run("rev-parse", "--verify", "--quiet", spec, check=False)
        sha = done.out.decode().strip()
        if done.code or self.object_type(sha) != "blob":
            return None
        return sha, self.git.run("cat-file", "blob", sha).out

    def merge(self, base: str, head: str, message: str) -> str | None:
        """The id of a new merge commit, or None on a conflict."""
        merged = self.git.run("merge-tree", "--write-tree", base, head, check=False)
        if merged.code:
            return None
        tree = merged.out.decode().splitlines()[0]
        who = {"GIT_AUTHOR_NAME": "GitHub", "GIT_AUTHOR_EMAIL": "noreply@github.com"}
        who |= {"GIT_COMMITTER_NAME": "GitHub", "GIT_COMMITTER_EMAIL": "noreply@github.com"}
        args = ("commit-tree", tree, "-p", base, "-p", head, "-m", message)
        return self.git.run(*args, extra_environ=who).out.decode().strip()
