"""Recorded answers in a file: the API's own result lines, one a line, told apart by custom_id."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from claude_batch.anthropic_api.results import BatchResult, InvalidResponse, parse_result_line
from claude_batch.errors import CannotRead, CannotRecord, file_errors
from claude_batch.findings.parsing import validate_review


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """`path` None: there are no recorded answers."""

    path: Path | None

    def known(self) -> Mapping[str, BatchResult]:
        """By custom_id. Raises CannotRead, also for a line that is no result."""
        if self.path is None or not self.path.exists():
            return {}
        with file_errors(CannotRead, f"{self.path} could not be read", "name a readable file"):
            lines = self.path.read_bytes().splitlines()
        try:
            rows = [parse_result_line(line, validate_review) for line in lines if line]
        except InvalidResponse as error:
            raise CannotRead(
                f"{self.path} holds a line that is no result: {error}",
                "it takes the lines of a batch's results as the API sends them",
            ) from error
        return {row.custom_id: row for row in rows}

    def add(self, lines: Iterable[bytes]) -> None:
        if self.path is None:
            return
        with (
            file_errors(CannotRecord, f"{self.path} could not be written", "name another file"),
            self.path.open("ab") as file,
        ):
            file.writelines(line + b"\n" for line in lines)
