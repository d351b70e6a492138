"""Read and write files of the user's work tree, for `init` and `apply`."""

import os
from dataclasses import dataclass
from pathlib import Path

from claude_batch.errors import CannotRead, CannotRecord, file_errors


@dataclass(frozen=True, slots=True)
class WorkTree:
    root: Path

    def read(self, name: str) -> str | None:
        """The text of a file, with its line endings; None if there is no such file."""
        content = self.read_bytes(name)
        try:
            return None if content is None else content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise CannotRead(f"{name} is not UTF-8: {error}", "save it in UTF-8") from error

    def read_bytes(self, name: str) -> bytes | None:
        """The content of a file; None if there is no such file."""
        with file_errors(CannotRead, f"{name} could not be read", "make it a readable file"):
            try:
                return self._inside(name).read_bytes()
            except FileNotFoundError:
                return None

    def write(self, name: str, text: str) -> None:
        self.write_bytes(name, text.encode("utf-8"))

    def write_bytes(self, name: str, content: bytes) -> None:
        """Replace a file atomically. A symbolic link stays; its target changes."""
        target = self._inside(name)
        temporary = target.with_name(f".{target.name}.new")
        remedy = "check the permissions of that folder"
        with file_errors(CannotRecord, f"{name} could not be written", remedy):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            if target.exists():
                temporary.chmod(target.stat().st_mode)
            os.replace(temporary, target)

    def _inside(self, name: str) -> Path:
        # Names come from a ledger that others write too: none may lead out of the work tree.
        target = (self.root / name).resolve()
        if not target.is_relative_to(self.root.resolve()):
            raise CannotRead(f"{name} leads out of the work tree", "look at that path yourself")
        return target
