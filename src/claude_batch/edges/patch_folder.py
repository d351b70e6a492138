"""The folder in which a job leaves patches that it could not propose itself."""

from dataclasses import dataclass
from pathlib import Path

from claude_batch.errors import CannotRecord


@dataclass(frozen=True, slots=True)
class PatchFolder:
    path: Path

    def keep(self, name: str, patch: bytes) -> Path:
        """Raises CannotRecord."""
        target = self.path / f"{name}.patch"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            target.write_bytes(patch)
        except OSError as error:
            raise CannotRecord(
                f"{target} could not be written: {error.strerror}", "name another RUNNER_TEMP"
            ) from error
        return target
