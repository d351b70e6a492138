"""A file of recorded answers: the result lines of the API, identified by custom_id."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from claude_batch.anthropic_api.results import BatchResult, InvalidResponse, parse_result_line
from claude_batch.errors import CannotRead, CannotRecord, file_errors
from claude_batch.findings.parsing import validate_review


@dataclass(frozen=True, slots=True)
class AnswerFile:
    path: Path | None  # None: nothing is recorded

    def load(self) -> Mapping[str, BatchResult]:
        """Return the results by custom_id. Raises CannotRead, also for an invalid line."""
        if self.path is None or not self.path.exists():
            return {}
        with file_errors(CannotRead, f"{self.path} could not be read", "name a readable file"):
            lines = self.path.read_bytes().splitlines()
        try:
            results = [parse_result_line(line, validate_review) for line in lines if line]
        except InvalidResponse as error:
            raise CannotRead(
                f"{self.path} holds a line that is not a result: {error}",
                "it takes the lines of a batch's results as the API sends them",
            ) from error
        return {result.custom_id: result for result in results}

    def append(self, lines: Iterable[bytes]) -> None:
        if self.path is None:
            return
        with (
            file_errors(CannotRecord, f"{self.path} could not be written", "name another file"),
            self.path.open("ab") as file,
        ):
            file.writelines(line + b"\n" for line in lines)
