"""Requests and answers of large batches, left in the files that they stand in.

As values, 100,000 requests with their answers take 800 MB. So a large log file is read once to see
what its lines are, and a row is read again, alone, whenever it is asked for.
"""

from collections.abc import Callable, Iterable, Iterator, KeysView, MutableMapping
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict

from claude_batch.event import Answered, AnyEvent, Asked, IntentId, from_line

E = TypeVar("E", Asked, Answered)


class Head(BaseModel):
    """What matching an answer takes of its request. The whole line takes four times as long."""

    model_config = ConfigDict(frozen=True)

    intent: IntentId
    n: int
    repo: str
    sha: str
    model: str
    purpose: str = "ask"


@dataclass(frozen=True, slots=True)
class Sheet(Generic[E]):
    """Rows of one type and one intent in one file."""

    kind: type[E]
    intent: IntentId
    places: dict[int, int]  # where in the file the line of a row begins, by the row's number
    line_at: Callable[[int], bytes]

    def row(self, n: int) -> E:
        return cast(E, from_line(self.line_at(self.places[n])))

    def head(self, n: int) -> Head:
        return Head.model_validate_json(self.line_at(self.places[n]))


AnySheet = Sheet[Asked] | Sheet[Answered]


class Places:
    """Where the rows of one file stand, as it is read."""

    def __init__(self) -> None:
        self._asked: dict[IntentId, dict[int, int]] = {}
        self._answered: dict[IntentId, dict[int, int]] = {}

    def note(self, event: AnyEvent, place: int) -> bool:
        """False: it is no row, or one of its number was noted before, so it must be kept."""
        if not isinstance(event, Asked | Answered):
            return False
        noted = self._asked if isinstance(event, Asked) else self._answered
        return noted.setdefault(event.intent, {}).setdefault(event.n, place) == place

    def sheets(self, line_at: Callable[[int], bytes]) -> Iterator[AnySheet]:
        for intent, places in self._asked.items():
            yield Sheet(Asked, intent, places, line_at)
        for intent, places in self._answered.items():
            yield Sheet(Answered, intent, places, line_at)


class Rows(MutableMapping[int, E]):
    """Requests or answers of one intent by their number, some of them on sheets."""

    def __init__(self, rows: Iterable[tuple[int, E]] = ()) -> None:
        self._rows: dict[int, E | Sheet[E]] = dict(rows)

    def lay(self, sheet: Sheet[E]) -> None:
        """All rows of a sheet, instead of those of the same number."""
        self._rows.update(dict.fromkeys(sheet.places, sheet))

    def __getitem__(self, n: int) -> E:
        found = self._rows[n]
        return found.row(n) if isinstance(found, Sheet) else found

    def head(self, n: int) -> Head | E | None:
        """Of a request."""
        found = self._rows.get(n)
        return found.head(n) if isinstance(found, Sheet) else found

    def __setitem__(self, n: int, row: E) -> None:
        self._rows[n] = row

    def __delitem__(self, n: int) -> None:
        del self._rows[n]

    def __contains__(self, n: object) -> bool:
        return n in self._rows

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def keys(self) -> KeysView[int]:
        """Those of the dictionary: what the mapping would make of itself reads each row."""
        return self._rows.keys()
