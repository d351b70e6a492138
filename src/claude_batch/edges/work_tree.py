"""The files of the user's work tree that `init` reads and writes, and no other."""

import os
from dataclasses import dataclass
from pathlib import Path

from claude_batch.errors import CannotRead, CannotRecord


@dataclass(frozen=True, slots=True)
class WorkTree:
    root: Path

    def read(self, name: str) -> str | None:
        """None: there is none. Line endings stay as they are."""
        try:
            return (self.root / name).read_bytes().decode("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise CannotRead(
                f"{name} could not be read: {error}", "make it a readable file in UTF-8"
            ) from error

    def write(self, name: str, text: str) -> None:
        """Whole or not at all; a symbolic link stays one, and its target changes."""
        target = (self.root / name).resolve()
        new = target.with_name(f".{target.name}.new")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(text.encode("utf-8"))
            if target.exists():
                new.chmod(target.stat().st_mode)
            os.replace(new, target)
        except OSError as error:
            raise CannotRecord(
                f"{name} could not be written: {error}", "check the rights of that folder"
            ) from error
