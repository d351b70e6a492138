"""The user's repository, read only: the diff of two of its trees, and its objects.

git's plumbing diffs every source: libgit2 cannot read sparse or split indexes, SHA-256
repositories and missing objects of partial clones, and is no faster on a large range. libgit2 reads
single objects without a process, and `git cat-file` reads the others. Only objects are ever added
(trees of an index, fetched commits), and a shallow clone is deepened.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from claude_batch.diff.gitignore import BadPattern, parse_gitignore
from claude_batch.diff.model import Comparison, Diff, FileChange, SkippedFile
from claude_batch.diff.parser import MAX_FILE_BYTES, parse_diff, parse_renames, split_changes
from claude_batch.diff.whole_files import build_whole_file
from claude_batch.errors import BadUsage, CannotFetch, CannotRead
from claude_batch.git.errors import cannot_open
from claude_batch.git.fetching import DEEP_CHECKOUT, ObjectFetcher
from claude_batch.git.objects import ObjectReader
from claude_batch.git.process import Git, without_credentials
from claude_batch.git.trees import empty_tree, stream_diff, write_index_tree

BRANCH_COMMITS = 2000
MAIN_BRANCHES = ("main", "master")


@dataclass(frozen=True)
class Repository:
    """`git` runs with the git directory, `root` is the work tree (None: bare)."""

    git: Git
    root: Path | None
    common_dir: Path
    remote: str = "origin"

    @classmethod
    def open(
        cls,
        path: Path,
        environ: Mapping[str, str],
        *,
        remote: str = "origin",
        config: tuple[tuple[str, str], ...] = (),
    ) -> "Repository":
        """The repository that `path` is in. Raises CannotRead.

        Replaced objects (`git replace`) are ignored: nobody else, and no server, sees them.
        """
        git_environ = {**environ, "GIT_NO_REPLACE_OBJECTS": "1"}
        finder = Git(git_environ, path, is_git_dir=False, config=config)
        # A bare repository fails at the last of the three, which has no answer there.
        wanted = ("--git-dir", "--git-common-dir", "--show-toplevel")
        found = finder.run("rev-parse", "--path-format=absolute", *wanted, check=False)
        lines = found.out.splitlines(keepends=True)
        if not 2 <= len(lines) <= 3:  # none, or a path with a line break
            raise cannot_open(found.err, str(path))
        git_dir, common_dir, top_level = (*lines, b"")[:3]
        git = Git(git_environ, _path(git_dir), config=config)
        return cls(git, _path(top_level) if top_level else None, _path(common_dir), remote)

    def with_config(self, config: tuple[tuple[str, str], ...]) -> "Repository":
        """The same repository, whose git processes have these settings."""
        git = Git(self.git.environ, self.git.directory, config=config)
        return Repository(git, self.root, self.common_dir, self.remote)

    @cached_property
    def objects(self) -> ObjectReader:
        return ObjectReader(self.git)

    @cached_property
    def _fetcher(self) -> ObjectFetcher:
        return ObjectFetcher(self.git, self.objects, self.common_dir, self.remote)

    def resolve(self, rev: str) -> str:
        """The id of a commit. Raises CannotRead."""
        commit = self.git.resolve(f"{rev}^{{commit}}")
        if commit is None:
            shallow = f"; this clone is shallow: {DEEP_CHECKOUT}" if self.git.is_shallow() else ""
            raise CannotRead(
                f"`{rev}` is not a commit in this repository",
                f"name a branch, a tag or a commit id that `git log` shows{shallow}",
            )
        return commit

    def compare_range(self, base: str, head: str) -> Comparison:
        """From the merge base of two revisions to the second one."""
        start, end = self.resolve(base), self.resolve(head)
        return self._compare(self._fetcher.merge_base(start, end), end, f"{base}..{head}")

    def compare_commits(
        self, base: str, head: str, label: str, merge_base: str | None = None
    ) -> Comparison:
        """By commit id, fetched if absent. `merge_base` is a hint that saves deepening a clone.

        Raises CannotFetch, CannotRead.
        """
        if merge_base:
            try:
                self.fetch_missing([base, head, merge_base])
            except CannotFetch:
                merge_base = None
        if not merge_base:
            self.fetch_missing([base, head])
            merge_base = self._fetcher.merge_base(base, head)
        return self._compare(merge_base, head, label)

    def compare_staged(self, index_file: str | None = None) -> Comparison:
        """HEAD against the index; `index_file` is the hook's GIT_INDEX_FILE."""
        index = Path(self.root or self.git.directory) / (index_file or self.git.directory / "index")
        head = self.git.resolve("HEAD^{commit}")  # None: the branch has no commit yet
        return self.compare_trees(head, write_index_tree(self.git, index), "staged changes")

    def compare_trees(self, base: str | None, tree: str, label: str) -> Comparison:
        """A tree that a hook recorded against HEAD of that time (None: no commit yet)."""
        base_tree = self._tree(base) if base else empty_tree(self.git)
        head_tree = self.git.resolve(f"{tree}^{{tree}}")
        if head_tree is None:
            raise CannotRead(
                f"the noted tree {tree} is no longer in this repository",
                "stage the changes again: git removes objects that nothing refers to",
            )
        return Comparison(base, None, base_tree, head_tree, label)

    def _compare(self, base: str, head: str, label: str) -> Comparison:
        return Comparison(base, head, self._tree(base), self._tree(head), label)

    def _tree(self, commit: str) -> str:
        tree = self.git.resolve(f"{commit}^{{tree}}")
        if tree is None:
            raise CannotRead(f"the tree of commit {commit} is missing", "run `git fsck`")
        return tree

    def fetch_missing(self, commits: Sequence[str]) -> None:
        """Fetch the commits that are missing here. Raises CannotFetch."""
        self._fetcher.fetch_missing(commits)

    def remote_tip(self, branch: str) -> str | None:
        """The newest commit of a branch on the remote, looked up once; None without such a branch.

        The commit itself is not fetched. Raises CannotFetch.
        """
        return self._fetcher.tip(branch)

    def diff(
        self, comparison: Comparison, on_file: Callable[[FileChange], None] = lambda change: None
    ) -> Diff:
        """`on_file` is called with each file while git looks for the next. Raises CannotRead."""
        with closing(stream_diff(self.git, comparison.base_tree, comparison.head_tree)) as chunks:
            return Diff(comparison, *split_changes(parse_diff(chunks), self._large_blobs, on_file))

    def renames(self, old: str, new: str) -> dict[str, str]:
        """Old path -> new path of the files that were renamed between two commits.

        Raises CannotRead, CannotFetch.
        """
        self.fetch_missing([old, new])
        args = ("diff-tree", "-r", "-M", "-l1000", "-z", "--no-abbrev", "--diff-filter=R")
        return parse_renames(self.git.run(*args, old, new, "--").out)

    def whole_files(
        self, commit: str, patterns: Sequence[str]
    ) -> tuple[tuple[FileChange, ...], tuple[SkippedFile, ...]]:
        """The files of a commit that match patterns as in .gitignore, as hunks of context lines.

        Raises BadUsage, CannotRead.
        """
        try:
            spec = parse_gitignore(patterns)
        except BadPattern as error:
            raise BadUsage(str(error), "give patterns as in .gitignore: `src/**/*.py`") from error
        named = [
            entry
            for entry in self.objects.entries(self.resolve(commit))
            if spec.match_file(entry.path.decode("utf-8", "surrogateescape"))
        ]
        readable = {entry.blob for entry in named if not entry.skip_reason}
        self._fetcher.prefetch(readable)
        content = self.read(readable - self._large_blobs(readable))
        changes = [build_whole_file(entry, content.get(entry.blob)) for entry in named]
        return (
            tuple(change for change in changes if isinstance(change, FileChange)),
            tuple(change for change in changes if isinstance(change, SkippedFile)),
        )

    def blob(self, rev: str, path: str) -> bytes | None:
        """The file `path` of a commit; None if the commit has no such file."""
        oid = self.git.resolve(f"{self.resolve(rev)}:{path}")
        return self.read([oid]).get(oid) if oid else None

    def read(self, oids: Iterable[str]) -> dict[str, bytes]:
        """The blobs by id. Those that are neither here nor on a promisor remote are left out."""
        return self.objects.read(oids)

    def attribute_files(self, commit: str | None) -> dict[str, bytes]:
        """Every .gitattributes of a commit by its path."""
        return self.named_files(commit, {".gitattributes"})

    def named_files(self, commit: str | None, names: Collection[str]) -> dict[str, bytes]:
        """Every file of a commit that has one of these names, in any folder, by its path."""
        if commit is None:
            return {}
        entries = {
            entry.path.decode(): entry.blob
            for entry in self.objects.entries(self.resolve(commit), *names)
            if not entry.skip_reason and entry.path.decode().rpartition("/")[2] in names
        }
        content = self.read(entries.values())
        return {path: content[oid] for path, oid in entries.items() if oid in content}

    def _large_blobs(self, blobs: Iterable[str]) -> set[str]:
        return {oid for oid, size in self.objects.sizes(blobs).items() if size > MAX_FILE_BYTES}

    def remote_url(self, remote: str) -> str | None:
        """Without credentials."""
        result = self.git.run("remote", "get-url", "--", remote, check=False)
        return None if result.code else without_credentials(result.out.decode().strip())

    def default_branch(self, remote: str) -> str | None:
        """ "origin/main", or "main" where only the clone has it."""
        prefix = f"refs/remotes/{remote}/"
        result = self.git.run("symbolic-ref", "--quiet", f"{prefix}HEAD", check=False)
        configured = [] if result.code else [result.out.decode().strip()]
        names = [
            f"{namespace}{name}" for namespace in (prefix, "refs/heads/") for name in MAIN_BRANCHES
        ]
        for ref in configured + names:
            if self.git.resolve(f"{ref}^{{commit}}"):
                return ref.removeprefix("refs/remotes/").removeprefix("refs/heads/")
        return None

    def current_branch(self) -> str | None:
        """None: HEAD is detached."""
        result = self.git.run("symbolic-ref", "--quiet", "--short", "HEAD", check=False)
        return None if result.code else result.out.decode().strip()

    def branch_trees(self) -> frozenset[str]:
        """Trees of the newest commits on any local branch or HEAD."""
        lines = self.git.text(
            *("rev-list", "--ignore-missing", f"--max-count={BRANCH_COMMITS}", "--format=%T"),
            *("--branches", "HEAD", "--"),
        ).splitlines()
        return frozenset(line for line in lines if not line.startswith("commit "))


def _path(output: bytes) -> Path:
    return Path(os.fsdecode(output.removesuffix(b"\n").removesuffix(b"\r")))
