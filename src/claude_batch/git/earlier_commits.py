"""Files of earlier heads of a pull request, fetched on demand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from claude_batch.diff.line_tracking import Edit
from claude_batch.errors import CannotFetch, CannotRead
from claude_batch.git.repository import Repository


@dataclass(frozen=True)
class EarlierCommits:
    """Blobs and renames of earlier heads. After a force-push they may exist only on the remote."""

    repository: Repository
    head: str
    fetch_outcomes: dict[str, bool] = field(default_factory=dict)
    renames_by_commit: dict[str, dict[str, str]] = field(default_factory=dict)

    def blob(self, oid: str, commit: str | None) -> bytes | None:
        if not oid.strip("0"):
            return None
        content = self._read(oid)
        if content is None and commit and commit not in self.fetch_outcomes and self._fetch(commit):
            content = self._read(oid)
        return content

    def renamed_path(self, commit: str, path: str) -> str | None:
        if commit not in self.renames_by_commit:
            is_present = self._fetch(commit)
            self.renames_by_commit[commit] = (
                self.repository.renames(commit, self.head) if is_present else {}
            )
        return self.renames_by_commit[commit].get(path)

    def _read(self, oid: str) -> bytes | None:
        try:
            return self.repository.read([oid]).get(oid)
        except CannotRead:  # a partial clone's remote no longer has it
            return None

    def _fetch(self, commit: str) -> bool:
        """Return True if the commit is here. Without it fewer findings can be placed."""
        if commit not in self.fetch_outcomes:
            try:
                self.repository.fetch_missing([commit])
                self.fetch_outcomes[commit] = True
            except (CannotFetch, CannotRead):
                self.fetch_outcomes[commit] = False
        return self.fetch_outcomes[commit]


@dataclass(frozen=True, slots=True)
class HistoryReaders:
    """Functions that read a repository to place findings. `blob` may fetch the object's commit."""

    blob: Callable[[str, str | None], bytes | None]  # object id, commit
    compute_edits: Callable[[bytes, bytes], Sequence[Edit]]
    renamed_path: Callable[[str, str], str | None]  # commit, its path: the path in the current head
