from datetime import UTC, datetime
from pathlib import Path

import pytest

from claude_batch.errors import CannotRead, CannotRecord
from claude_batch.git.hook_queue import Note, Spool

A, B = "a" * 40, "b" * 40
FIRST = f"{A} - 2026-11-22T10:00:00Z"
SECOND = f"{B} {A} 2026-11-22T10:00:01Z"
NOTE_1 = Note(A, None, datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC))
NOTE_2 = Note(B, A, datetime(2026, 11, 22, 10, 0, 1, tzinfo=UTC))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


def write(spool: Spool, text: str) -> None:
    spool.path.parent.mkdir(exist_ok=True)
    spool.path.write_text(text)


def test_no_file_is_no_notes(spool):
    assert spool.notes() == []
    assert spool.unreadable() == []


def test_notes_come_oldest_first(spool):
    write(spool, f"\n{FIRST}\n{SECOND}")
    assert spool.notes() == [NOTE_1, NOTE_2]


@pytest.mark.parametrize(
    "line",
    [
        "no note",
        A,
        f"{A} - 2026-11-22T10:00",
        f"{A} - 2026-13-99T10:00:00Z",
        f"{A[:-1]} - 2026-11-22T10:00:00Z",
        f"{SECOND} and more",
        "\x00\x00\x00",
    ],
)
def test_a_line_that_is_no_note_is_named_and_skipped(spool, line):
    write(spool, f"\n{FIRST}\n{line}\n{SECOND}")
    assert spool.notes() == [NOTE_1, NOTE_2]
    assert spool.unreadable() == [line]


def test_drop_keeps_what_was_not_handled_and_forgets_garbage(spool):
    write(spool, f"\n{FIRST}\nno note\n{SECOND}")
    spool.drop([NOTE_1])
    assert spool.path.read_text() == f"\n{SECOND}"
    spool.drop([NOTE_1])
    assert spool.notes() == [NOTE_2]


def test_drop_without_a_file(spool):
    spool.drop([NOTE_1])
    assert spool.notes() == []


def test_a_spool_that_cannot_be_read_or_written_is_an_error(spool):
    spool.path.mkdir(parents=True)
    with pytest.raises(CannotRead, match=r"could not be read: Is a directory"):
        spool.notes()
    with pytest.raises(CannotRecord, match=r"could not be rewritten: Is a directory"):
        spool.drop([NOTE_1])
