"""Requests and answers of large batches, left in the files that they stand in.

As values, 100,000 requests with their answers take 800 MB. So a large log file is read once to see
what its lines are, and a row is read again, alone, whenever it is asked for.
"""

from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Generic, NamedTuple, TypeVar, cast

from claude_batch.ledger.events import (
    AnswerRecorded,
    AnyEvent,
    IntentId,
    RequestRecorded,
    from_line,
    latest,
)

E = TypeVar("E", RequestRecorded, AnswerRecorded)


class RequestHeader(NamedTuple):
    """What matching an answer takes of its request, kept for each: to find its line and to read it
    takes as long as all else that recording an answer does with values."""

    sha: str  # as much of it as a custom_id has
    repo: str
    model: str
    purpose: str

    @classmethod
    def from_request(cls, asked: RequestRecorded) -> "RequestHeader":
        return cls(asked.sha[:16], asked.repo, asked.model, asked.purpose)


@dataclass(frozen=True, slots=True)
class LogFileIndex(Generic[E]):
    """Rows of one type and one intent in one file."""

    event_type: type[E]
    intent: IntentId
    offsets: dict[int, int]  # where in the file the line of a row begins, by the row's number
    line_at: Callable[[int], bytes]
    headers: dict[int, RequestHeader] = field(default_factory=dict)  # of requests

    def row(self, n: int) -> E:
        return cast(E, from_line(self.line_at(self.offsets[n])))


AnyLogFileIndex = LogFileIndex[RequestRecorded] | LogFileIndex[AnswerRecorded]


class LogFileIndexBuilder:
    """Where the rows of one file stand, as it is read."""

    def __init__(self) -> None:
        self._asked: dict[IntentId, dict[int, int]] = {}
        self._answered: dict[IntentId, dict[int, int]] = {}
        self._heads: dict[IntentId, dict[int, RequestHeader]] = {}

    def add(self, event: AnyEvent, place: int) -> bool:
        """False: it is no row, or one of its number was noted before, so it must be kept."""
        if isinstance(event, AnswerRecorded):
            return _first(self._answered, event, place)
        if not isinstance(event, RequestRecorded) or not _first(self._asked, event, place):
            return False
        self._heads.setdefault(event.intent, {})[event.n] = RequestHeader.from_request(event)
        return True

    def build(self, line_at: Callable[[int], bytes]) -> Iterator[AnyLogFileIndex]:
        for intent, places in self._asked.items():
            yield LogFileIndex(RequestRecorded, intent, places, line_at, self._heads[intent])
        for intent, places in self._answered.items():
            yield LogFileIndex(AnswerRecorded, intent, places, line_at)


def _first(
    noted: dict[IntentId, dict[int, int]], row: RequestRecorded | AnswerRecorded, place: int
) -> bool:
    return noted.setdefault(row.intent, {}).setdefault(row.n, place) == place


class LazyRows(Mapping[int, E]):
    """Requests or answers of one intent by their number, as values and on sheets.

    Of what stands there twice the latest counts, which is seen when somebody asks for it: the view
    is made anew for each portion of a batch that is recorded, and to pour the sheets together
    would cost as much as the batch each time.
    """

    def __init__(
        self, rows: Iterable[tuple[int, E]] = (), sheets: Iterable[LogFileIndex[E]] = ()
    ) -> None:
        self._rows: dict[int, E | partial[E]] = dict(rows)
        self._sheets: list[LogFileIndex[E]] = list(sheets)

    def __getitem__(self, n: int) -> E:
        found = [sheet.row(n) for sheet in self._sheets_of(n)]
        if n in self._rows:
            found.append(self._made(n, self._rows[n]))
        if not found:
            raise KeyError(n)
        return latest(found)

    def _sheets_of(self, n: int) -> list[LogFileIndex[E]]:
        return [sheet for sheet in self._sheets if n in sheet.offsets]

    def _made(self, n: int, value: E | partial[E]) -> E:
        if isinstance(value, partial):
            self._rows[n] = made = value()
            return made
        return value

    def header(self, n: int) -> RequestHeader | None:
        """Of a request; no line is read for it, unless it stands there twice."""
        sheets = self._sheets_of(n)
        if len(sheets) == 1 and n not in self._rows:
            return sheets[0].headers.get(n)
        found = self.get(n)
        if isinstance(found, RequestRecorded):
            return RequestHeader.from_request(found)
        return None

    def __setitem__(self, n: int, row: E | partial[E]) -> None:
        """One that is to be made is made when somebody asks for it."""
        self._rows[n] = row

    def __contains__(self, n: object) -> bool:
        return n in self._rows or any(n in sheet.offsets for sheet in self._sheets)

    def __iter__(self) -> Iterator[int]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def keys(self) -> KeysView[int]:
        """Those of a dictionary, which compares them without asking for any of them."""
        if not self._rows and len(self._sheets) == 1:
            return self._sheets[0].offsets.keys()
        return dict.fromkeys(chain(self._rows, *(sheet.offsets for sheet in self._sheets))).keys()
