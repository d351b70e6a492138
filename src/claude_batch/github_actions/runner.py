"""The CI runner: what its environment says, and the files and commands by which it listens.

Everything that a step prints is a command channel to the runner, so text that a model or a
stranger wrote goes to the files, through an escaped annotation, or inside `stop_commands`.
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

SUMMARY_BYTES = 1024 * 1024  # of one step; a larger one is not shown at all
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
        """None where no event started us: on somebody's own machine."""
        if not environ.get("GITHUB_EVENT_NAME"):
            return None
        return cls(
            event=environ["GITHUB_EVENT_NAME"],
            event_path=_path(environ, "GITHUB_EVENT_PATH"),
            output_path=_path(environ, "GITHUB_OUTPUT"),
            summary_path=_path(environ, "GITHUB_STEP_SUMMARY"),
        )

    def load_payload(self) -> Mapping[str, object]:
        """The event. Empty where no file is named; raises CannotRead where it cannot be read."""
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
        """Step outputs. A value cannot end its own heredoc: the delimiter is new each time."""
        if self.output_path is None:
            return
        text = ""
        for name, value in values.items():
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a step output")
            delimiter = f"end_{secrets.token_hex(16)}"
            text += f"{name}<<{delimiter}\n{value}\n{delimiter}\n"
        _append(self.output_path, text.encode())

    def write_summary(self, markdown: str) -> None:
        """Append to the step's summary, cut at a line where it would be too large to be shown."""
        if self.summary_path is None:
            return
        text = markdown.encode() if markdown.endswith("\n") else markdown.encode() + b"\n"
        there = self.summary_path.stat().st_size if self.summary_path.exists() else 0
        room = SUMMARY_BYTES - there
        if len(text) > room:
            note = CUT.encode()
            text = text[: max(0, room - len(note))].rpartition(b"\n")[0] + note
            text = text if len(text) <= room else b""
        _append(self.summary_path, text)


@contextmanager
def stop_commands(stream: TextIO) -> Iterator[None]:
    """Within, nothing that is printed is obeyed by the runner, annotations of ours included."""
    token = secrets.token_hex(16)
    stream.write(f"::stop-commands::{token}\n")
    stream.flush()
    try:
        yield
    finally:
        # A command is one only at the start of a line, and what was printed may lack its newline.
        stream.write(f"\n::{token}::\n")
        stream.flush()


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None


def _append(path: Path, data: bytes) -> None:
    problem = f"the CI runner's file {path} cannot be written"
    remedy = "check GITHUB_OUTPUT and GITHUB_STEP_SUMMARY"
    with file_errors(CannotRecord, problem, remedy), path.open("ab") as file:
        file.write(data)
