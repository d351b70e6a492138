"""The files of a write."""

from claude_batch.ledger.events import to_line
from claude_batch.ledger.files import LOG, encode_write, index_written, parse_log
from claude_batch.ledger.store import Shard, Write
from claude_batch.ledger.view import LedgerState
from ledger_events import START, answered, asked, finding, intent
from spooled_content import EVENTS, spooled


def test_a_large_claim_is_several_files_and_their_union_is_the_claim() -> None:
    events = (intent("i1", requests=40), *(asked("i1", n, f"t{n}") for n in range(40)))
    most = 5 * len(to_line(events[1]))
    files = list(encode_write(Write(events), START, "run 1", most))
    assert [event for file in files for event in file.events] == [*events]
    assert len(files) > 5
    assert all(LOG.fullmatch(file.path) for file in files)
    assert max(len(file.content) for file in files) < most + most / 4
    parsed = [parse_log(file.path, spooled(file.content)) for file in files]
    assert not any(file.damaged for file in parsed)
    assert LedgerState.from_events(
        event for file in parsed for event in file.events
    ) == LedgerState.from_events(events)


def test_a_small_claim_is_one_file() -> None:
    (file,) = encode_write(Write(tuple(EVENTS)), START, "run-1")
    assert file.content == b"".join(to_line(event) + b"\n" for event in EVENTS)


def test_what_was_written_need_not_be_read_again() -> None:
    shard = Shard(intent("i1").id, 0, (finding("1"),))
    write = Write((*EVENTS, answered("i1", 0, minute=20, findings=1)), (shard,))
    *_, log = encode_write(write, START, "run-1")
    for large in (0, 10**9):
        stored = spooled(log.content)
        assert index_written(log.events, stored, large) == parse_log(log.path, stored, large)
