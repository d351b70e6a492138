"""Patches in git's format, and the folder that receives those a job could not propose itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from claude_batch.diff.line_tracking import Edit
from claude_batch.errors import CannotRecord, file_errors


@dataclass(frozen=True, slots=True)
class PatchFolder:
    path: Path

    def write(self, name: str, patch: bytes) -> Path:
        """Write a patch and return its path. Raises CannotRecord."""
        target = self.path / f"{name}.patch"
        with file_errors(
            CannotRecord, f"{target} could not be written", "name another RUNNER_TEMP"
        ):
            self.path.mkdir(parents=True, exist_ok=True)
            target.write_bytes(patch)
        return target


def make_patch(path: str, before: bytes, after: bytes) -> bytes:
    """A unified diff for a file that exists on both sides; empty if they are equal."""
    import pygit2
    from pygit2.enums import DiffOption

    # Without FORCE_TEXT a NUL byte would make it a binary patch without content.
    return (
        pygit2.Patch.create_from(before, after, path, path, flag=DiffOption.FORCE_TEXT).data or b""
    )


def make_patches(files: Mapping[str, tuple[bytes, bytes]]) -> bytes:
    """One patch over several files: path -> (before, after)."""
    return b"".join(make_patch(path, *sides) for path, sides in sorted(files.items()))


def compute_edits(old: bytes, new: bytes) -> list[Edit]:
    """The edits that turn `old` into `new`, in order."""
    import pygit2
    from pygit2.enums import DiffOption

    # Patience pairs lines by those that stand there once: fewer accidents than with myers.
    flag = DiffOption.PATIENCE | DiffOption.INDENT_HEURISTIC | DiffOption.FORCE_TEXT
    patch = pygit2.Patch.create_from(old, new, flag=flag, context_lines=0)
    return [
        # A side without lines names the line before.
        Edit(
            hunk.old_start - (hunk.old_lines > 0),
            hunk.old_lines,
            hunk.new_start - (hunk.new_lines > 0),
            hunk.new_lines,
        )
        for hunk in patch.hunks
    ]
