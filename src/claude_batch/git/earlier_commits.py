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
    tried: dict[str, bool] = field(default_factory=dict)
    moves: dict[str, dict[str, str]] = field(default_factory=dict)

    def blob(self, oid: str, commit: str | None) -> bytes | None:
        if not oid.strip("0"):
            return None
        found = self._read(oid)
        if found is None and commit and commit not in self.tried and self._bring(commit):
            found = self._read(oid)
        return found

    def renamed(self, commit: str, path: str) -> str | None:
        if commit not in self.moves:
            here = self._bring(commit)
            self.moves[commit] = self.repository.renames(commit, self.head) if here else {}
        return self.moves[commit].get(path)

    def _read(self, oid: str) -> bytes | None:
        try:
            return self.repository.read([oid]).get(oid)
        except CannotRead:  # a partial clone's remote no longer has it
            return None

    def _bring(self, commit: str) -> bool:
        """Return True if the commit is here. Without it fewer findings can be placed."""
        if commit not in self.tried:
            try:
                self.repository.bring([commit])
                self.tried[commit] = True
            except (CannotFetch, CannotRead):
                self.tried[commit] = False
        return self.tried[commit]


@dataclass(frozen=True, slots=True)
class Readers:
    """Functions that read a repository to place findings. `blob` may fetch the object's commit."""

    blob: Callable[[str, str | None], bytes | None]  # object id, commit
    edits: Callable[[bytes, bytes], Sequence[Edit]]
    renamed: Callable[[str, str], str | None]  # commit, its path: the path in today's head
