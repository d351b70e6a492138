"""Copies of answered requests in another ledger."""

from claude_batch.ledger.batch_record import RequestKey
from claude_batch.ledger.events import AnyEvent, IntentId
from claude_batch.ledger.transfer import copied_events
from claude_batch.ledger.view import LedgerState
from ledger_events import answered, asked, intent, settled, submitted

LOCAL: list[AnyEvent] = [
    intent("i", requests=3),
    *(asked("i", n, f"t{n}", pr=None) for n in range(3)),
    submitted("i"),
    *(answered("i", n) for n in range(3)),
    settled("f", 0, "old"),
]


def key(intent_id: str, n: int) -> RequestKey:
    return IntentId(intent_id), n


def copied(target: list[AnyEvent], *keys: RequestKey) -> list[AnyEvent]:
    states = LedgerState.from_events(LOCAL), LedgerState.from_events(target)
    return [*target, *copied_events(*states, keys)]


def test_a_part_of_a_batch_is_whole_and_closed_in_the_other_ledger() -> None:
    state = LedgerState.from_events(copied([], key("i", 2), key("f", 0)))
    (record,) = state.batch_records.values()
    assert (record.intent.requests, [*record.requests]) == (1, [2])
    assert record.submitted == submitted("i")
    assert state.damaged == ()
    assert state.open_batches() == []
    assert [*state.folded_requests] == [key("f", 0)]


def test_a_second_part_adds_to_the_first_and_nothing_is_copied_twice() -> None:
    first = copied([], key("i", 2))
    again = copied(first, key("i", 2), key("i", 0))
    assert copied(again, key("i", 2), key("i", 0)) == again
    state = LedgerState.from_events(again)
    (record,) = state.batch_records.values()
    assert (record.intent.requests, sorted(record.requests)) == (2, [0, 2])
    assert state.damaged == ()
    assert len(again) == len(first) + 3  # the intent, the request and the answer


def test_both_ledgers_together_have_each_request_once() -> None:
    part = copied([], key("i", 1), key("f", 0))
    both, local = LedgerState.from_events([*LOCAL, *part]), LedgerState.from_events(LOCAL)
    assert both.damaged == ()
    assert both.spent(LOCAL[0].at) == local.spent(LOCAL[0].at)
    assert set(both.requests.keys) == set(local.requests.keys)
