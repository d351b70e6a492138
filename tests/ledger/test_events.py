"""Format 2 of the events: golden lines that must be read and written for ever."""

import json
import sys

import pytest
from pydantic import BaseModel, ValidationError

from claude_batch.findings.anchors import AnchoredTask
from claude_batch.ledger.events import (
    IntentAbandoned,
    Stamp,
    UnknownEvent,
    from_line,
    may_be_money,
    to_line,
)
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId
from golden_events import LINES, TYPES, golden_line
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
        pytest.param("voided", b'"type":"voided",', b"", id="no type"),
        pytest.param("voided", b'"reason":', b'"why":', id="missing field"),
        pytest.param("voided", b"10:00:00Z", b"10:00:00", id="time without zone"),
        pytest.param("voided", b"}", b"", id="cut"),
        pytest.param("plan", b'"old_start":', b'"start":', id="missing field of a task"),
        pytest.param("batch", b'"ended"', b'"melted"', id="unknown word"),
        pytest.param("voided", b'"type":"voided","at":', b'"type":"new","time":', id="no time"),
    ],
)
def test_a_damaged_line_is_refused(kind: str, old: bytes, new: bytes) -> None:
    line = golden_line(kind)
    assert old in line
    with pytest.raises(ValidationError):
        from_line(line.replace(old, new, 1))


NEW_KEY = b'"later":{"a":[1,null,"0.10"]},'


@pytest.mark.parametrize("kind", [event.model_fields["type"].default for event in TYPES])
def test_a_key_of_a_newer_version_is_read_and_written(kind: str) -> None:
    line = golden_line(kind)
    event = from_line(line.replace(b'"at":', NEW_KEY + b'"at":', 1))
    assert event.model_extra == {"later": {"a": [1, None, "0.10"]}}
    assert json.loads(to_line(event)) == json.loads(line) | event.model_extra
    assert from_line(to_line(event)) == event != from_line(line)


@pytest.mark.parametrize(
    ("kind", "before"),
    [
        pytest.param("request", b'"input_tokens":', id="estimate"),
        pytest.param("answer", b'"input":', id="usage"),
        pytest.param("settled", b'"input":', id="usage of a folded request"),
        pytest.param("plan", b'"reason":', id="skipped path"),
        pytest.param("plan", b'"tag":', id="pinned kind"),
    ],
)
def test_a_nested_key_of_a_newer_version_is_read_and_written(kind: str, before: bytes) -> None:
    line = golden_line(kind)
    newer = line.replace(before, NEW_KEY + before, 1)
    assert newer != line
    assert json.loads(to_line(from_line(newer))) == json.loads(newer)


@pytest.mark.parametrize(
    ("kind", "before"),
    [
        pytest.param("plan", b'"new_start":', id="task"),
        pytest.param("plan", b'"old_blob":', id="file"),
        pytest.param("request", b'"signs":', id="anchored task"),
    ],
)
def test_a_new_key_of_a_task_or_file_is_ignored(kind: str, before: bytes) -> None:
    """There are many of them, so that they have no room for it."""
    line = golden_line(kind)
    newer = line.replace(before, NEW_KEY + before, 1)
    assert newer != line
    assert from_line(newer) == from_line(line)


def test_an_event_of_a_newer_version_is_kept_as_it_is() -> None:
    line = golden_line("batch").replace(b'"type":"batch"', b'"type":"from_the_future"')
    event = from_line(line)
    assert isinstance(event, UnknownEvent)
    assert (event.type, event.repo) == ("from_the_future", "octo/demo")
    assert to_line(event) == line
    assert from_line(to_line(event)) == event


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"type":"seen","at":"no time"}', False),
        (b'{"type":"plan"}', False),
        (b'{"type":"answer"}', True),
        (b'{"type":"from_the_future"}', True),
        (b'{"type":["plan"]}', True),
        (b'["plan"]', True),
        (b'{"type":"plan",', True),
        (b"<<<<<<< ours", True),
        (b"", True),
    ],
)
def test_a_damaged_line_may_be_money_unless_its_type_costs_nothing(
    line: bytes, expected: bool
) -> None:
    assert may_be_money(line) is expected


def test_a_misspelt_field_is_not_written() -> None:
    stamp = Stamp("run-1", "octo/demo", lambda: intent("i1").at)
    with pytest.raises(TypeError, match="IntentAbandoned has no field raeson"):
        stamp.event(IntentAbandoned, intent="i1", reason="interrupted", raeson="x")


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
