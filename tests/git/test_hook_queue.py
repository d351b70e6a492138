from datetime import UTC, datetime
from pathlib import Path

import pytest

from claude_batch.errors import CannotRead, CannotRecord
from claude_batch.git.hook_queue import HookQueue, QueueEntry

A, B = "a" * 40, "b" * 40
FIRST = f"{A} - 2026-11-22T10:00:00Z"
SECOND = f"{B} {A} 2026-11-22T10:00:01Z"
ENTRY_1 = QueueEntry(A, None, datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC))
ENTRY_2 = QueueEntry(B, A, datetime(2026, 11, 22, 10, 0, 1, tzinfo=UTC))


@pytest.fixture
def hook_queue(tmp_path: Path) -> HookQueue:
    return HookQueue(tmp_path)


def write(hook_queue: HookQueue, text: str) -> None:
    hook_queue.path.parent.mkdir(exist_ok=True)
    hook_queue.path.write_text(text)


def test_no_file_means_no_entries(hook_queue):
    assert hook_queue.entries() == []


def test_entries_come_oldest_first(hook_queue):
    write(hook_queue, f"\n{FIRST}\n{SECOND}")
    assert hook_queue.entries() == [ENTRY_1, ENTRY_2]


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
def test_a_line_that_is_not_an_entry_is_skipped(hook_queue, line):
    write(hook_queue, f"\n{FIRST}\n{line}\n{SECOND}")
    assert hook_queue.entries() == [ENTRY_1, ENTRY_2]


def test_drop_keeps_what_was_not_handled_and_forgets_garbage(hook_queue):
    write(hook_queue, f"\n{FIRST}\nno note\n{SECOND}")
    hook_queue.drop([ENTRY_1])
    assert hook_queue.path.read_text() == f"\n{SECOND}"
    hook_queue.drop([ENTRY_1])
    assert hook_queue.entries() == [ENTRY_2]


def test_drop_without_a_file(hook_queue):
    hook_queue.drop([ENTRY_1])
    assert hook_queue.entries() == []


def test_a_queue_that_cannot_be_read_or_written_is_an_error(hook_queue):
    hook_queue.path.mkdir(parents=True)
    with pytest.raises(CannotRead, match=r"could not be read: Is a directory"):
        hook_queue.entries()
    with pytest.raises(CannotRecord, match=r"could not be rewritten: Is a directory"):
        hook_queue.drop([ENTRY_1])
