"""Find the changes of a source and build tasks from them: for `submit`, `estimate`, `publish`."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from claude_batch.diff.exclusions import exclude_files
from claude_batch.diff.model import Comparison, Diff, FileChange, SkippedFile
from claude_batch.errors import BadUsage, CannotPublish
from claude_batch.git.earlier_commits import EarlierCommits, HistoryReaders
from claude_batch.git.hook_queue import QueueEntry
from claude_batch.git.patch import compute_edits
from claude_batch.git.repository import Repository
from claude_batch.github_api.client import GitHubClient
from claude_batch.github_api.models import PullRequest
from claude_batch.tasks.plan import PlannedDiff
from claude_batch.tasks.sources import RangeSource, StagedSource
from claude_batch.tasks.task import Kind, Task, build_tasks

# The message of a commit may stay open in an editor. After this time the commit was abandoned.
COMMIT_TIMEOUT = timedelta(days=14)
TaskCache = dict[tuple[str, str], tuple[Task, ...]]  # by tag of the kind, and path
PATTERN_CHARACTER = re.compile(r"([*?\[\]\\!# ])")  # with a meaning in a .gitignore


@dataclass(frozen=True)
class DiscoveredChanges:
    """The changed files of a comparison that are reviewed, and those that are skipped."""

    comparison: Comparison
    files: tuple[FileChange, ...]
    skipped: tuple[SkippedFile, ...]
    cached_tasks: TaskCache = field(default_factory=dict, repr=False, compare=False)

    @property
    def diff(self) -> Diff:
        return Diff(self.comparison, self.files, self.skipped)

    def tasks(self, kinds: Sequence[Kind]) -> tuple[Task, ...]:
        """The tasks of all hunks, also of equal ones: `publish` needs every location."""
        return tuple(
            task
            for kind in kinds
            for change in self.files
            for task in self.cached_tasks.get((kind.tag, change.path))
            or build_tasks(change, kind.name, kind.tag)
        )


@dataclass(frozen=True)
class QueuedTrees:
    """The hook's notes by state: committed, not committed yet, and abandoned."""

    ready: tuple[QueueEntry, ...]
    waiting: tuple[QueueEntry, ...]
    dropped: tuple[QueueEntry, ...]


def with_fresh_base(repository: Repository, pull: PullRequest) -> PullRequest:
    """The pull request with `base_sha` at the tip of its base branch as it is on the remote now.

    GitHub's API leaves `base.sha` at an older commit. Commits of the base branch that were merged
    into the head since would then pass for changes of the pull request. Raises CannotFetch.
    """
    tip = repository.remote_tip(pull.base_ref)
    if tip is None or tip == pull.base_sha:  # None: the branch was deleted
        return pull
    repository.fetch_missing([tip])
    return pull.model_copy(update={"base_sha": tip})


@dataclass(frozen=True)
class ChangeFinder:
    repository: Repository
    remote: str = "origin"

    def compare(
        self, source: RangeSource | StagedSource, index_file: str | None = None
    ) -> Comparison:
        if isinstance(source, StagedSource):
            return self.repository.compare_staged(index_file)
        base = source.base or self.repository.default_branch(self.remote)
        if base is None:
            raise BadUsage(
                f"the default branch of {self.remote!r} is not known here",
                "name the range: `claude-batch submit --range main..HEAD`",
            )
        return self.repository.compare_range(base, source.head)

    def compare_pull(self, github: GitHubClient, pull: PullRequest) -> Comparison:
        """From the merge base of a pull request to its head; `pull` is from `with_fresh_base`."""
        merge_base = None
        if self.repository.git.is_shallow():
            # GitHub's answer only saves deepening the clone. It refuses large comparisons (422)
            # and times out on others (500).
            with suppress(CannotPublish):
                merge_base = github.find_merge_base(pull.base_sha, pull.head_sha)
        label = f"pull request {pull.number}"
        return self.repository.compare_commits(pull.base_sha, pull.head_sha, label, merge_base)

    def find_changes(
        self, comparison: Comparison, exclude: Sequence[str], kinds: Sequence[Kind] = ()
    ) -> DiscoveredChanges:
        """Find the changed files that are neither generated nor vendored nor excluded.

        The attributes of the base decide. Tasks of `kinds` are built while git is running.
        """
        tasks: TaskCache = {}

        def build_early(change: FileChange) -> None:
            for kind in kinds:
                tasks[kind.tag, change.path] = tuple(build_tasks(change, kind.name, kind.tag))

        diff = self._exclude(self.repository.diff(comparison, build_early), exclude)
        keys = [(kind.tag, change.path) for kind in kinds for change in diff.files]
        return DiscoveredChanges(
            comparison, diff.files, diff.skipped, {key: tasks[key] for key in keys}
        )

    def find_files(self, patterns: Sequence[str], exclude: Sequence[str]) -> DiscoveredChanges:
        """Find whole files of HEAD by gitignore-style patterns."""
        head = self.repository.resolve("HEAD")
        files, skipped = self.repository.whole_files(head, patterns)
        if not files and not skipped:
            raise BadUsage(
                f"no file of HEAD matches {' '.join(patterns)}",
                "use patterns as in .gitignore, for example --paths 'src/**'",
            )
        comparison = Comparison(head, head, "", "", f"files {' '.join(patterns)}")
        diff = self._exclude(Diff(comparison, files, skipped), exclude)
        return DiscoveredChanges(comparison, diff.files, diff.skipped)

    def find_planned(self, plan: PlannedDiff, exclude: Sequence[str]) -> DiscoveredChanges:
        """Find the changes of a recorded plan again, from its two commits.

        Raises CannotFetch, CannotRead.
        """
        base, head = plan.base or "", plan.head or ""
        if base != head:
            return self.find_changes(
                self.repository.compare_commits(base, head, plan.label, merge_base=base), exclude
            )
        self.repository.fetch_missing([head])
        patterns = ["/" + PATTERN_CHARACTER.sub(r"\\\1", file.path) for file in plan.files]
        files, skipped = self.repository.whole_files(head, patterns)
        return DiscoveredChanges(Comparison(head, head, "", "", plan.label), files, skipped)

    def file_reader(self, commit: str) -> Callable[[str], bytes | None]:
        """A cached function from a path to the file's bytes at the commit."""
        return cache(lambda path: self.repository.blob(commit, path))

    def earlier_readers(self, head: str) -> HistoryReaders:
        """Cached functions to locate findings that were made on other commits than `head`."""
        commits = EarlierCommits(self.repository, head)
        return HistoryReaders(cache(commits.blob), cache(compute_edits), commits.renamed_path)

    def sort_notes(self, notes: Sequence[QueueEntry], now: datetime) -> QueuedTrees:
        committed = self.repository.branch_trees()
        ready = tuple(note for note in notes if note.tree in committed)
        others = [note for note in notes if note.tree not in committed]
        waiting = tuple(note for note in others if now - note.recorded_at < COMMIT_TIMEOUT)
        return QueuedTrees(ready, waiting, tuple(note for note in others if note not in waiting))

    def find_queued(self, notes: Sequence[QueueEntry], exclude: Sequence[str]) -> DiscoveredChanges:
        """Find the changes of several queued trees, each against its own HEAD."""
        if not notes:
            return DiscoveredChanges(Comparison(None, None, "", "", "0 queued changes"), (), ())
        queued = [
            self.find_changes(
                self.repository.compare_trees(note.head, note.tree, "queued"), exclude
            )
            for note in dict.fromkeys(notes)
        ]
        last = queued[-1].comparison
        label = f"{len(queued)} queued change{'s' if len(queued) > 1 else ''}"
        return DiscoveredChanges(
            Comparison(queued[0].comparison.base, None, last.base_tree, last.head_tree, label),
            tuple(file for changes in queued for file in changes.files),
            tuple(dict.fromkeys(file for changes in queued for file in changes.skipped)),
        )

    def _exclude(self, diff: Diff, exclude: Sequence[str]) -> Diff:
        attributes = self.repository.attribute_files(diff.comparison.base)
        return exclude_files(diff, attributes, exclude)
