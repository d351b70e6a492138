"""Schema version 1 of the events: golden lines that must be read and written for ever."""

from pathlib import Path
from typing import get_args

import pytest
from ledger_events import answered, intent
from pydantic import BaseModel, ValidationError

from claude_batch.event import SCHEMA, AnyEvent, Event, from_line, to_line

GOLDEN = Path(__file__).parent / "golden" / f"events-{SCHEMA}.jsonl"
LINES = GOLDEN.read_bytes().splitlines()
TYPES: tuple[type[Event], ...] = get_args(get_args(AnyEvent)[0])


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
    ("old", "new"),
    [
        (b'"type":"voided"', b'"type":"unknown"'),
        (b'"type":"voided",', b""),
        (b'"reason":', b'"why":'),
        (b"}", b',"more":1}'),
        (b"10:00:00Z", b"10:00:00"),
        (b"}", b""),
    ],
    ids=["type", "no type", "missing field", "unknown field", "time without zone", "cut"],
)
def test_another_line_is_refused(old: bytes, new: bytes) -> None:
    line = next(line for line in LINES if b'"voided"' in line)
    assert old in line
    with pytest.raises(ValidationError):
        from_line(line.replace(old, new))
