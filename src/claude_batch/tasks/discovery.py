"""From a source to the tasks in it: the reading half of `submit`, `estimate` and `publish`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from claude_batch.diff.exclusions import exclude_files
from claude_batch.diff.model import Comparison, Diff, FileChange, SkippedFile
from claude_batch.errors import BadUsage
from claude_batch.git.earlier_commits import EarlierCommits, Readers
from claude_batch.git.hook_queue import Note
from claude_batch.git.patch import edits
from claude_batch.git.repository import Repository
from claude_batch.github_api.client import GitHubClient
from claude_batch.github_api.models import PullRequest
from claude_batch.tasks.plan import PlannedDiff
from claude_batch.tasks.sources import RangeSource, StagedSource
from claude_batch.tasks.task import Kind, Task, build_tasks

# A commit may stay open in an editor; after this a noted tree that no branch holds was dropped.
COMMIT_TIMEOUT = timedelta(days=1)
TaskCache = dict[tuple[str, str], tuple[Task, ...]]  # by tag of the kind, and path
MAGIC, LITERAL = re.compile(r"([*?\[\]\\!# ])"), r"\\\1"  # of patterns as in .gitignore


@dataclass(frozen=True)
class DiscoveredChanges:
    """What there is to ask about."""

    comparison: Comparison
    files: tuple[FileChange, ...]
    skipped: tuple[SkippedFile, ...]
    cached_tasks: TaskCache = field(default_factory=dict, repr=False, compare=False)

    @property
    def diff(self) -> Diff:
        return Diff(self.comparison, self.files, self.skipped)

    def tasks(self, kinds: Sequence[Kind]) -> tuple[Task, ...]:
        """The twins of equal hunks included: publish needs every place."""
        return tuple(
            task
            for kind in kinds
            for change in self.files
            for task in self.cached_tasks.get((kind.tag, change.path))
            or build_tasks(change, kind.name, kind.tag)
        )


@dataclass(frozen=True)
class QueuedTrees:
    """The hook's notes: what became commits, what may yet, what was dropped."""

    ready: tuple[Note, ...]
    waiting: tuple[Note, ...]
    dropped: tuple[Note, ...]


@dataclass(frozen=True)
class ChangeFinder:
    repository: Repository
    remote: str = "origin"

    def compare(self, source: RangeSource | StagedSource, index_file: str | None = None) -> Comparison:
        if isinstance(source, StagedSource):
            return self.repository.compare_staged(index_file)
        base = source.base or self.repository.default_branch(self.remote)
        if base is None:
            raise BadUsage(
                f"the default branch of {self.remote!r} is not known here",
                "name the range: `claude-batch submit --range main..HEAD`",
            )
        return self.repository.compare_range(base, source.head)

    def compare_pull(self, forge: GitHubClient, pull: PullRequest) -> Comparison:
        hint = forge.find_merge_base(pull.base_sha, pull.head_sha)
        label = f"pull request {pull.number}"
        return self.repository.compare_commits(pull.base_sha, pull.head_sha, label, hint)

    def find_changes(
        self, comparison: Comparison, exclude: Sequence[str], kinds: Sequence[Kind] = ()
    ) -> DiscoveredChanges:
        """Without what is generated, vendored or excluded, as the attributes of the base say.

        Tasks of `kinds`, which are likely to be asked for, are made while git goes on.
        """
        made: TaskCache = {}

        def make(change: FileChange) -> None:
            for kind in kinds:
                made[kind.tag, change.path] = tuple(build_tasks(change, kind.name, kind.tag))

        kept = self._sift(self.repository.diff(comparison, make), exclude)
        keys = [(kind.tag, change.path) for kind in kinds for change in kept.files]
        return DiscoveredChanges(
            comparison, kept.files, kept.skipped, {key: made[key] for key in keys}
        )

    def find_files(self, patterns: Sequence[str], exclude: Sequence[str]) -> DiscoveredChanges:
        """Whole files of HEAD."""
        head = self.repository.resolve("HEAD")
        found, left_out = self.repository.whole_files(head, patterns)
        if not found and not left_out:
            raise BadUsage(
                f"no file of HEAD matches {' '.join(patterns)}",
                "use patterns as in .gitignore, for example --paths 'src/**'",
            )
        comparison = Comparison(head, head, "", "", f"files {' '.join(patterns)}")
        kept = self._sift(Diff(comparison, found, left_out), exclude)
        return DiscoveredChanges(comparison, kept.files, kept.skipped)

    def find_planned(self, plan: PlannedDiff, exclude: Sequence[str]) -> DiscoveredChanges:
        """What a plan of the ledger looked at, from its two commits.

        Raises CannotFetch, CannotRead.
        """
        base, head = plan.base or "", plan.head or ""
        if base != head:
            return self.find_changes(
                self.repository.compare_commits(base, head, plan.label, merge_base=base), exclude
            )
        self.repository.bring([head])
        paths = [f"/{MAGIC.sub(LITERAL, file.path)}" for file in plan.files]
        found, left_out = self.repository.whole_files(head, paths)
        return DiscoveredChanges(Comparison(head, head, "", "", plan.label), found, left_out)

    def file_reader(self, commit: str) -> Callable[[str], bytes | None]:
        """Reads files of a commit by path."""
        return cache(lambda path: self.repository.blob(commit, path))

    def earlier_readers(self, head: str) -> Readers:
        """For findings that were made on other commits than `head`."""
        bygone = EarlierCommits(self.repository, head)
        return Readers(cache(bygone.blob), cache(edits), bygone.renamed)

    def sort_notes(self, notes: Sequence[Note], now: datetime) -> QueuedTrees:
        committed = self.repository.branch_trees()
        ready = tuple(note for note in notes if note.tree in committed)
        rest = [note for note in notes if note.tree not in committed]
        waiting = tuple(note for note in rest if now - note.at < COMMIT_TIMEOUT)
        return QueuedTrees(ready, waiting, tuple(note for note in rest if note not in waiting))

    def find_queued(self, notes: Sequence[Note], exclude: Sequence[str]) -> DiscoveredChanges:
        """The changes of several noted trees together, each against its own HEAD."""
        if not notes:
            return DiscoveredChanges(Comparison(None, None, "", "", "0 queued changes"), (), ())
        looks = [
            self.find_changes(self.repository.compare_trees(note.head, note.tree, "queued"), exclude)
            for note in dict.fromkeys(notes)
        ]
        last = looks[-1].comparison
        label = f"{len(looks)} queued change{'s' if len(looks) > 1 else ''}"
        return DiscoveredChanges(
            Comparison(looks[0].comparison.base, None, last.base_tree, last.head_tree, label),
            tuple(change for look in looks for change in look.files),
            tuple(dict.fromkeys(out for look in looks for out in look.skipped)),
        )

    def _sift(self, found: Diff, exclude: Sequence[str]) -> Diff:
        attributes = self.repository.attribute_files(found.comparison.base)
        return exclude_files(found, attributes, exclude)
