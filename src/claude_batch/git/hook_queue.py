"""The local queue: trees that the pre-commit hook recorded and no submit has handled yet.

`<common git directory>/claude-batch/queue` holds one entry a line, each after its newline:
`<tree> <HEAD, or - before the first commit> <time in UTC>`. `git/hook.py` writes it.
"""

import os
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from claude_batch.errors import CannotRead, CannotRecord, file_errors

if sys.platform != "win32":
    import fcntl

OBJECT = r"[0-9a-f]{40}|[0-9a-f]{64}"
ENTRY = re.compile(
    rf"(?P<tree>{OBJECT}) (?P<head>{OBJECT}|-) (?P<recorded_at>[0-9-]{{10}}T[0-9:]{{8}}Z)"
)


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """`head` is None for a tree that was staged before the first commit."""

    tree: str
    head: str | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class HookQueue:
    common_dir: Path

    @property
    def path(self) -> Path:
        return self.common_dir / "claude-batch" / "queue"

    def entries(self) -> list[QueueEntry]:
        """Oldest first."""
        return [entry for entry in map(_parse_entry, self._lines()) if entry]

    def drop(self, handled: Collection[QueueEntry]) -> None:
        """Remove these entries and every unreadable line. Entries added meanwhile stay."""
        dropped = set(handled)
        problem = f"the local queue {self.path} could not be rewritten"
        remedy = "check the permissions of that file; submitted trees are not submitted again"
        with file_errors(CannotRecord, problem, remedy), self._locked():
            parsed = ((line, _parse_entry(line)) for line in self._lines())
            self._replace([line for line, entry in parsed if entry and entry not in dropped])

    def _lines(self) -> list[str]:
        problem = f"the local queue {self.path} could not be read"
        with file_errors(CannotRead, problem, "check the permissions of that file"):
            try:
                text = self.path.read_text("utf-8", errors="replace")
            except FileNotFoundError:
                return []
        return [line for line in text.split("\n") if line]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hooks wait here, and start again on the new file when they find theirs replaced.

        Windows has no such lock: there a file that a hook holds open cannot be replaced.
        """
        if sys.platform == "win32":
            yield
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with self.path.open("a") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX)
                if os.path.samestat(os.fstat(stream.fileno()), self.path.stat()):
                    yield
                    return

    def _replace(self, lines: list[str]) -> None:
        new = self.path.with_name("queue.new")
        new.write_text("".join(f"\n{line}" for line in lines), "utf-8")
        new.replace(self.path)


def _parse_entry(line: str) -> QueueEntry | None:
    match = ENTRY.fullmatch(line)
    if not match:
        return None
    try:
        recorded_at = datetime.fromisoformat(match["recorded_at"])
    except ValueError:
        return None
    return QueueEntry(match["tree"], None if match["head"] == "-" else match["head"], recorded_at)
