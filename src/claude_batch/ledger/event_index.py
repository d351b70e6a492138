"""Indexes of events: by type in memory, and by offset for the rows of large log files.

A row is a request or an answer. As objects, 100,000 requests with their answers take 800 MB. So a
large log file is read once to index its lines, and a row is parsed again whenever it is needed.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, KeysView, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Generic, NamedTuple, TypeVar, cast

from claude_batch.ledger.events import (
    AnswerRecorded,
    AnyEvent,
    Event,
    IntentId,
    RequestRecorded,
    encode,
    from_line,
    latest,
    supersedes,
)

E = TypeVar("E", bound=Event)
K = TypeVar("K", bound=Hashable)
Row = TypeVar("Row", RequestRecorded, AnswerRecorded)


class RequestHeader(NamedTuple):
    """The fields of a request that are needed to match its answer.

    They are kept in memory, because parsing the line of each request would double the time that
    recording its answer takes.
    """

    sha: str  # as many digits as a custom_id has
    repo: str
    model: str
    purpose: str

    @classmethod
    def from_request(cls, request: RequestRecorded) -> "RequestHeader":
        return cls(request.sha[:16], request.repo, request.model, request.purpose)


@dataclass(frozen=True, slots=True)
class LogFileIndex(Generic[Row]):
    """The rows of one type and one intent in one log file."""

    event_type: type[Row]
    intent: IntentId
    offsets: dict[int, int]  # of the line of each row, by the row's number
    line_at: Callable[[int], bytes]
    headers: dict[int, RequestHeader] = field(default_factory=dict)  # of requests

    def row(self, n: int) -> Row:
        return cast(Row, from_line(self.line_at(self.offsets[n])))


AnyLogFileIndex = LogFileIndex[RequestRecorded] | LogFileIndex[AnswerRecorded]


class LogFileIndexBuilder:
    """Collects the offsets of the rows of one log file while it is read."""

    def __init__(self) -> None:
        self._requests: dict[IntentId, dict[int, int]] = {}
        self._answers: dict[IntentId, dict[int, int]] = {}
        self._headers: dict[IntentId, dict[int, RequestHeader]] = {}

    def add(self, event: AnyEvent, offset: int) -> bool:
        """Index a row. False: the event is not a row, or its number is taken in this file; then
        the caller keeps the event itself."""
        if isinstance(event, AnswerRecorded):
            return _is_first(self._answers, event, offset)
        if not isinstance(event, RequestRecorded) or not _is_first(self._requests, event, offset):
            return False
        self._headers.setdefault(event.intent, {})[event.n] = RequestHeader.from_request(event)
        return True

    def build(self, line_at: Callable[[int], bytes]) -> Iterator[AnyLogFileIndex]:
        for intent, offsets in self._requests.items():
            yield LogFileIndex(RequestRecorded, intent, offsets, line_at, self._headers[intent])
        for intent, offsets in self._answers.items():
            yield LogFileIndex(AnswerRecorded, intent, offsets, line_at)


def _is_first(
    offsets: dict[IntentId, dict[int, int]], row: RequestRecorded | AnswerRecorded, offset: int
) -> bool:
    return offsets.setdefault(row.intent, {}).setdefault(row.n, offset) == offset


class LazyRows(Mapping[int, Row]):
    """The requests or the answers of one intent by their number, in memory and in log files.

    If several events have the same number, the latest counts. They are compared on access and not
    merged before: a state is built for each portion of a batch that is recorded, and merging would
    take as long as reading the whole batch each time.
    """

    def __init__(
        self, rows: Iterable[tuple[int, Row]] = (), indexes: Iterable[LogFileIndex[Row]] = ()
    ) -> None:
        self._rows: dict[int, Row | partial[Row]] = dict(rows)
        self._indexes: list[LogFileIndex[Row]] = list(indexes)

    def __getitem__(self, n: int) -> Row:
        rows = [index.row(n) for index in self._indexes_with(n)]
        if n in self._rows:
            rows.append(self._evaluate(n, self._rows[n]))
        if not rows:
            raise KeyError(n)
        return latest(rows)

    def _indexes_with(self, n: int) -> list[LogFileIndex[Row]]:
        return [index for index in self._indexes if n in index.offsets]

    def _evaluate(self, n: int, value: Row | partial[Row]) -> Row:
        if isinstance(value, partial):
            self._rows[n] = row = value()
            return row
        return value

    def header(self, n: int) -> RequestHeader | None:
        """The header of a request. Its line is read only if two events have this number."""
        indexes = self._indexes_with(n)
        if len(indexes) == 1 and n not in self._rows:
            return indexes[0].headers.get(n)
        request = self.get(n)
        if isinstance(request, RequestRecorded):
            return RequestHeader.from_request(request)
        return None

    def __setitem__(self, n: int, row: Row | partial[Row]) -> None:
        """Set a row, or a call that returns it, which is made on the first access."""
        self._rows[n] = row

    def __contains__(self, n: object) -> bool:
        return n in self._rows or any(n in index.offsets for index in self._indexes)

    def __iter__(self) -> Iterator[int]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def keys(self) -> KeysView[int]:
        # Keys of a dictionary: they are compared without a call of __getitem__.
        if not self._rows and len(self._indexes) == 1:
            return self._indexes[0].offsets.keys()
        return dict.fromkeys(chain(self._rows, *(index.offsets for index in self._indexes))).keys()


class EventIndex:
    """Events by type. Those of large log files are in `indexes`."""

    def __init__(self, events: Iterable[AnyEvent], indexes: Iterable[AnyLogFileIndex] = ()) -> None:
        self._by_type: dict[type[Event], list[Event]] = {}
        for event in events:
            self._by_type.setdefault(type(event), []).append(event)
        self._indexes = list(indexes)

    def all(self, event_type: type[E]) -> list[E]:
        return cast(list[E], self._by_type.get(event_type, []))

    def distinct(self, event_type: type[E]) -> list[E]:
        """Each different event once, oldest first."""
        events = dict.fromkeys(self.all(event_type))
        return sorted(events, key=lambda event: (event.at, encode(event)))

    def latest(self, event_type: type[E], key: Callable[[E], K]) -> dict[K, E]:
        """The latest event for each key."""
        events: dict[K, E] = {}
        for event in self.all(event_type):
            name = key(event)
            if name not in events or supersedes(event, events[name]):
                events[name] = event
        return events

    def lazy_rows(self, event_type: type[Row]) -> dict[IntentId, LazyRows[Row]]:
        """All requests, or all answers, by intent."""
        rows: dict[IntentId, dict[int, Row]] = {}
        for (intent, n), row in self.latest(event_type, lambda row: (row.intent, row.n)).items():
            rows.setdefault(intent, {})[n] = row
        indexes: dict[IntentId, list[LogFileIndex[Row]]] = {}
        for index in self._indexes:
            if index.event_type is event_type:
                indexes.setdefault(index.intent, []).append(index)
        return {
            intent: LazyRows(rows.get(intent, {}).items(), indexes.get(intent, []))
            for intent in dict.fromkeys([*rows, *indexes])
        }
