"""The CI runner: its environment, its output files and its commands.

The runner obeys commands in the output of a step. Untrusted text goes to the files, into an escaped
annotation, or inside `stop_commands`.
"""

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from claude_batch.errors import CannotRead, CannotRecord, file_errors

SUMMARY_BYTES = 1024 * 1024  # per step; GitHub does not show a larger summary at all
CUT = "\n\n*The rest did not fit into the step summary (1 MiB).*\n"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Runner:
    event: str
    event_path: Path | None
    output_path: Path | None
    summary_path: Path | None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Runner | None":
        """Return None outside of CI."""
        if not environ.get("GITHUB_EVENT_NAME"):
            return None
        return cls(
            event=environ["GITHUB_EVENT_NAME"],
            event_path=_path(environ, "GITHUB_EVENT_PATH"),
            output_path=_path(environ, "GITHUB_OUTPUT"),
            summary_path=_path(environ, "GITHUB_STEP_SUMMARY"),
        )

    def load_payload(self) -> Mapping[str, object]:
        """The payload of the event; empty without an event file. Raises CannotRead."""
        if self.event_path is None:
            return {}
        remedy = "check GITHUB_EVENT_PATH; it names a JSON file that the CI runner writes"
        name = f"the event file {self.event_path}"
        with file_errors(CannotRead, f"{name} cannot be read", remedy):
            content = self.event_path.read_bytes()
        try:
            loaded = json.loads(content)
        except ValueError as error:
            raise CannotRead(f"{name} is not JSON: {error}", remedy) from error
        if not isinstance(loaded, dict):
            raise CannotRead(f"{name} does not hold a JSON object", remedy)
        return loaded

    def write_outputs(self, values: Mapping[str, str]) -> None:
        """Append step outputs. Raises CannotRecord."""
        if self.output_path is None:
            return
        text = ""
        for name, value in values.items():
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a name of a step output")
            # A random delimiter, so that a value cannot end its own heredoc.
            delimiter = f"end_{secrets.token_hex(16)}"
            text += f"{name}<<{delimiter}\n{value}\n{delimiter}\n"
        _append(self.output_path, text.encode())

    def write_summary(self, markdown: str) -> None:
        """Append to the step's summary, cut at a line end to fit. Raises CannotRecord."""
        if self.summary_path is None:
            return
        text = markdown.encode() if markdown.endswith("\n") else markdown.encode() + b"\n"
        size_before = self.summary_path.stat().st_size if self.summary_path.exists() else 0
        room = SUMMARY_BYTES - size_before
        if len(text) > room:
            note = CUT.encode()
            text = text[: max(0, room - len(note))].rpartition(b"\n")[0] + note
            text = text if len(text) <= room else b""
        _append(self.summary_path, text)


@contextmanager
def stop_commands(stream: TextIO) -> Iterator[None]:
    """Make the runner ignore all commands that are printed within."""
    token = secrets.token_hex(16)
    stream.write(f"::stop-commands::{token}\n")
    stream.flush()
    try:
        yield
    finally:
        # A command must start a line, and the output before it may lack its newline.
        stream.write(f"\n::{token}::\n")
        stream.flush()


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None


def _append(path: Path, data: bytes) -> None:
    problem = f"the CI runner's file {path} cannot be written"
    remedy = "check GITHUB_OUTPUT and GITHUB_STEP_SUMMARY"
    with file_errors(CannotRecord, problem, remedy), path.open("ab") as file:
        file.write(data)
