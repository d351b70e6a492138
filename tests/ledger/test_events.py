"""Schema version 1 of the events: golden lines that must be read and written for ever."""

import sys

import pytest
from pydantic import BaseModel, ValidationError

from claude_batch.findings.anchors import AnchoredTask
from claude_batch.ledger.events import IntentAbandoned, Stamp, from_line, to_line
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId
from golden_events import LINES, TYPES
from ledger_events import answered, intent


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[9:40].decode().split('"')[0])
def test_a_golden_line_is_read_and_written_as_it_was(line: bytes) -> None:
    event = from_line(line)
    assert to_line(event) == line
    assert from_line(to_line(event)) == event


def fields_seen(model: BaseModel, seen: dict[type[BaseModel], set[str]]) -> None:
    """What stands in a golden line of this model and of those within it."""
    seen.setdefault(type(model), set()).update(model.model_fields_set)
    for name in model.model_fields_set:
        value = getattr(model, name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, BaseModel):
                fields_seen(inner, seen)


def test_the_golden_lines_show_every_field_of_every_event() -> None:
    seen: dict[type[BaseModel], set[str]] = {}
    for line in LINES:
        fields_seen(from_line(line), seen)
    assert set(TYPES) <= set(seen)
    assert {model.__name__: set(model.model_fields) - names for model, names in seen.items()} == {
        model.__name__: set() for model in seen
    }


def test_keys_at_their_default_are_left_out() -> None:
    assert b"follows" not in to_line(intent("i1"))
    assert b"retriable" not in to_line(answered("i1"))


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        pytest.param("voided", b'"type":"voided"', b'"type":"unknown"', id="type"),
        pytest.param("voided", b'"type":"voided",', b"", id="no type"),
        pytest.param("voided", b'"reason":', b'"why":', id="missing field"),
        pytest.param("voided", b"}", b',"more":1}', id="unknown field"),
        pytest.param("voided", b"10:00:00Z", b"10:00:00", id="time without zone"),
        pytest.param("voided", b"}", b"", id="cut"),
        pytest.param("plan", b'"old_start":', b'"start":', id="missing field of a task"),
        pytest.param("plan", b'"new_start":', b'"more":1,"new_start":', id="more of a task"),
        pytest.param("plan", b'"old_blob":', b'"more":1,"old_blob":', id="more of a file"),
        pytest.param("request", b'"signs":', b'"more":1,"signs":', id="more of a question"),
    ],
)
def test_another_line_is_refused(kind: str, old: bytes, new: bytes) -> None:
    line = next(line for line in LINES if b'"type":"%b"' % kind.encode() in line)
    assert old in line
    with pytest.raises(ValidationError):
        from_line(line.replace(old, new, 1))


def test_what_is_kept_of_each_task_is_small() -> None:
    """A submission of 100,000 tasks holds all of it, and strings beside."""
    planned = PlannedTask(id=TaskId("a"), kind="review", old_start=1, new_start=1)
    file = PlannedFile(path="a", old_path="a", old_blob="", new_blob="", tasks=(planned,))
    asked = AnchoredTask(id=TaskId("a"), path="a", signs="", hashes="")
    for one in (planned, file, asked):
        assert not hasattr(one, "__dict__")
        assert sys.getsizeof(one) < 100


def test_a_stamp_gives_each_event_its_time_run_and_repository() -> None:
    stamp = Stamp("run-1", "octo/demo", lambda: intent("i1").at)
    event = stamp.event(IntentAbandoned, intent="i1", reason="interrupted")
    assert (event.run, event.repo, event.at) == ("run-1", "octo/demo", intent("i1").at)
