"""Rows that stay in their files are the same rows."""

from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_batch.anthropic_api.results import BatchResult, Outcome
from claude_batch.findings.anchors import build_anchor
from claude_batch.ledger.event_index import LazyRows, LogFileIndex
from claude_batch.ledger.events import AnswerRecorded, AnyEvent, IntentId, RequestRecorded, to_line
from claude_batch.ledger.files import ParsedLog, checksum, parse_log
from claude_batch.ledger.view import LedgerState, TaskStatus
from claude_batch.tasks.task import TaskId
from ledger_events import answered, asked, at, intent, submitted
from recorded_results import ANCHORED, ASKED, name, recorder, said, succeeded
from spooled_content import EVENTS, spooled

I1 = IntentId("i1")


def file_of(events: Sequence[AnyEvent], large: int) -> ParsedLog:
    content = b"".join(to_line(event) + b"\n" for event in events)
    return parse_log(f"log/2026/11/22/1-x-y-{checksum(content)}.jsonl", spooled(content), large)


def view_of(*files: ParsedLog) -> LedgerState:
    events = (event for file in files for event in file.events)
    return LedgerState.from_events(
        events, indexes=[sheet for file in files for sheet in file.indexes]
    )


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=len(EVENTS), max_size=len(EVENTS)), st.booleans())
def test_it_does_not_matter_in_which_files_the_events_stand(where: list[int], twice: bool) -> None:
    """Of the four files two are large."""
    files = [
        file_of([event for event, number in zip(EVENTS, where, strict=True) if number == at], large)
        for at, large in enumerate((0, 0, 10**9, 10**9))
    ]
    again = [file_of(EVENTS, 0)] if twice else []
    view, expected = view_of(*files, *again), LedgerState.from_events(EVENTS)
    assert view == expected
    assert len(view.requests) == len(expected.requests)
    assert all(row in expected.requests for row in view.requests)
    assert view.spent(at(0)) == expected.spent(at(0))
    tasks = [TaskId(name) for name in ("t1", "t2", "t3")]
    assert [view.task_status(task) for task in tasks] == [
        expected.task_status(task) for task in tasks
    ]
    assert view.answers_of(tasks) == expected.answers_of(tasks)


def test_a_row_that_is_put_off_is_made_once_and_when_somebody_asks_for_it() -> None:
    made: list[RequestRecorded] = []

    def make() -> RequestRecorded:
        made.append(asked("i1", 0, "t1"))
        return made[0]

    rows: LazyRows[RequestRecorded] = LazyRows()
    rows[0] = partial(make)
    assert list(rows) == [0]
    assert not made
    assert [rows[0], *rows.values()] == [made[0]] * 2
    assert len(made) == 1


def test_only_requests_and_answers_of_large_files_stay_there() -> None:
    assert file_of(EVENTS, 10**9).events == tuple(EVENTS)
    large = file_of([intent("i1"), asked("i1", 0, "t1"), answered("i1")], 0)
    assert [event.type for event in large.events] == ["intent"]
    assert [(sheet.event_type, sheet.intent, [*sheet.offsets]) for sheet in large.indexes] == [
        (RequestRecorded, "i1", [0]),
        (AnswerRecorded, "i1", [0]),
    ]


def test_a_row_is_read_when_it_is_asked_for_and_not_before() -> None:
    read: list[int] = []

    def line_at(place: int) -> bytes:
        read.append(place)
        return to_line(asked("i1", place, "t1"))

    sheet = LogFileIndex(RequestRecorded, I1, {n: n for n in range(5)}, line_at)
    request = LedgerState.from_events([intent("i1", requests=5)], indexes=[sheet])
    (sending,) = request.open_batches()
    assert (len(sending.requests), 4 in sending.requests, 5 in sending.requests) == (5, True, False)
    assert sending.requests.keys() - {0, 1} == {2, 3, 4}
    assert len(request.requests) == 5
    assert sending.requests.header(7) is None
    assert read == []
    assert sending.requests[3] == asked("i1", 3, "t1")
    assert request.requests[2].request.n == 2
    assert read == [3, 2]


def test_rows_are_a_mapping() -> None:
    rows = LazyRows([(0, asked("i1", 0)), (1, asked("i1", 1))])
    rows[1] = asked("i1", 1, "t9")
    assert rows == {0: asked("i1", 0), 1: asked("i1", 1, "t9")}
    with pytest.raises(KeyError):
        rows[2]


def test_a_damaged_line_of_a_large_file_is_left_alone() -> None:
    content = to_line(asked("i1", 0, "t1")) + b'\n{"type":"request"}\n' + to_line(answered("i1"))
    path = f"log/2026/11/22/1-x-y-{checksum(content)}.jsonl"
    found = parse_log(path, spooled(content), 0)
    assert [line.split(": ")[1] for line in found.damaged] == ["line 2"]
    view = LedgerState.from_events([intent("i1")], indexes=found.indexes)
    assert view.task_status(TaskId("t1")) is TaskStatus.ANSWERED


@pytest.mark.parametrize("keep", [True, False])
def test_answers_are_matched_with_requests_on_a_sheet_as_with_values(keep: bool) -> None:
    intents = [intent("i1", requests=2), submitted("i1")]
    requests = [ASKED, asked("i1", 1, "t2"), asked("i1", 2, "t3", purpose="verify", about=("f",))]
    raws = [
        succeeded(0, said(build_anchor(1, ANCHORED.hash_at(0)), "9zzz")),
        BatchResult(name(1), Outcome.EXPIRED),
        BatchResult(name(2), Outcome.SUCCEEDED, text="{}"),
        BatchResult("i1-1-2", Outcome.CANCELED),
    ]
    views = [
        LedgerState.from_events([*intents, *requests]),
        view_of(file_of([*intents, *requests], 0)),
    ]
    by_value, by_sheet = [
        recorder(one, keep_findings=keep).record_final(one, raws) for one in views
    ]
    assert by_sheet == by_value
    assert [*map(len, (by_value.events, by_value.shards))] == [4, int(keep)]
