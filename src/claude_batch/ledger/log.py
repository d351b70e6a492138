"""How events add up, whatever their order and however often each one stands there."""

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from typing import TypeVar, cast

from claude_batch.ledger.events import (
    AnswerRecorded,
    AnyEvent,
    Event,
    IntentId,
    RequestRecorded,
    TasksReset,
    encode,
    supersedes,
)
from claude_batch.ledger.lazy_rows import AnyLogFileIndex, LazyRows, LogFileIndex
from claude_batch.tasks.task import TaskId

E = TypeVar("E", bound=Event)
R = TypeVar("R", RequestRecorded, AnswerRecorded)
K = TypeVar("K", bound=Hashable)


class EventIndex:
    """Events by type; those of large files on sheets."""

    def __init__(self, events: Iterable[AnyEvent], sheets: Iterable[AnyLogFileIndex] = ()) -> None:
        self._by_type: dict[type[Event], list[Event]] = {}
        for event in events:
            self._by_type.setdefault(type(event), []).append(event)
        self._sheets = list(sheets)

    def all(self, kind: type[E]) -> list[E]:
        return cast(list[E], self._by_type.get(kind, []))

    def latest(self, kind: type[E], key: Callable[[E], K]) -> dict[K, E]:
        """For each key the event with the latest `at`; between two at once, the greater line."""
        found: dict[K, E] = {}
        for event in self.all(kind):
            name = key(event)
            if name not in found or supersedes(event, found[name]):
                found[name] = event
        return found

    def lazy_rows(self, kind: type[R]) -> dict[IntentId, LazyRows[R]]:
        """`latest` by intent and number."""
        values: dict[IntentId, dict[int, R]] = {}
        for (intent, n), event in self.latest(kind, lambda e: (e.intent, e.n)).items():
            values.setdefault(intent, {})[n] = event
        sheets: dict[IntentId, list[LogFileIndex[R]]] = {}
        for sheet in self._sheets:
            if sheet.event_type is kind:
                sheets.setdefault(sheet.intent, []).append(sheet)
        intents = dict.fromkeys([*values, *sheets])
        return {key: LazyRows(values.get(key, {}).items(), sheets.get(key, [])) for key in intents}

    def distinct(self, kind: type[E]) -> list[E]:
        """Each different event one time, oldest first."""
        return sorted(dict.fromkeys(self.all(kind)), key=lambda event: (event.at, encode(event)))


def reset_times(log: EventIndex) -> dict[TaskId, datetime]:
    found: dict[TaskId, datetime] = {}
    for event in log.distinct(TasksReset):
        found.update(dict.fromkeys(event.tasks, event.at))
    return found
