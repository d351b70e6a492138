from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from ledger_events import REPO, asked, at, intent, submitted, voided

from claude_batch.doubt import (
    Adopt,
    LookAgain,
    Void,
    candidates_of,
    doubtful,
    is_news,
    is_of,
    resolve,
    since,
    taken,
)
from claude_batch.event import BatchId, IntentId, Looked
from claude_batch.ledger import Sending, View


@dataclass(frozen=True)
class Batch:
    id: BatchId
    created_at: datetime
    requests: int = 1

    @property
    def expires_at(self) -> datetime:
        return self.created_at + timedelta(days=1)


def batch(name: str, minute: float, requests: int = 1) -> Batch:
    return Batch(BatchId(name), at(minute), requests)


def looked(minute: float, *candidates: str) -> Looked:
    return Looked(
        at=at(minute),
        run="run-1",
        repo=REPO,
        intent=IntentId("i1"),
        candidates=tuple(BatchId(name) for name in candidates),
    )


def sending(*looks: Looked) -> Sending:
    return View.of([intent("i1"), asked("i1", 0, "t1"), *looks]).sendings[IntentId("i1")]


def test_doubtful_is_what_has_neither_a_fact_nor_a_lease() -> None:
    events = [intent("i1"), asked("i1", 0, "t1")]
    assert doubtful(View.of(events), at(29)) == []
    assert [one.intent.id for one in doubtful(View.of(events), at(30))] == ["i1"]
    for fact in (submitted("i1"), voided("i1")):
        assert doubtful(View.of([*events, fact]), at(60)) == []


def test_the_lane_now_has_no_listing_to_look_at() -> None:
    now = intent("i1").model_copy(update={"lane": "now"})
    assert doubtful(View.of([now, asked("i1", 0, "t1")]), at(60)) == []


def test_taken_are_the_batches_of_all_intents() -> None:
    view = View.of([intent("i1"), submitted("i1"), intent("i2")])
    assert taken(view) == {"batch-i1"}


@pytest.mark.parametrize(
    ("found", "is_candidate"),
    [
        (batch("b", 0), True),
        (batch("b", -59), True),  # clocks differ
        (batch("b", -61), False),  # before the intent
        (batch("b", 89), True),
        (batch("b", 91), False),  # nobody sends after the lease
        (batch("b", 1, requests=2), False),
        (batch("ours", 1), False),
    ],
)
def test_a_candidate_fits_the_intent(found: Batch, is_candidate: bool) -> None:
    assert candidates_of(sending(), [found], {BatchId("ours")}) == [found] * is_candidate


def test_results_say_whose_they_are() -> None:
    assert is_of(sending(), ["x-0-abc", "i1-0-abc"])
    assert not is_of(sending(), ["i11-0-abc", "theirs"])
    assert not is_of(sending(), [])


def test_what_was_created_before_all_doubts_is_not_listed() -> None:
    earlier = View.of([intent("i2", minute=-5), asked("i2", 0, "t2")]).sendings[IntentId("i2")]
    assert since([sending(), earlier]) == at(-65)


def test_a_batch_whose_results_name_the_intent_is_adopted() -> None:
    found = [(batch("b", 1), False), (batch("c", 2), True), (batch("d", 3), None)]
    assert resolve(sending(), found, at(31)) == Adopt(batch("c", 2))


def test_before_it_has_ended_nobody_knows_whose_it_is() -> None:
    """The only one that fits may be that of another job, which is about to record it."""
    found = [(batch("b", 1), None)]
    assert resolve(sending(looked(31)), found, at(60)) == LookAgain((BatchId("b"),))


def test_a_look_is_recorded_when_it_shows_something_else() -> None:
    none, one = LookAgain(()), LookAgain((BatchId("b"),))
    assert is_news(sending(), none)
    assert not is_news(sending(looked(31)), none)
    assert is_news(sending(looked(31)), one)
    assert not is_news(sending(looked(31), looked(32, "b")), one)
    assert is_news(sending(looked(31)), Void("why"))


@pytest.mark.parametrize(
    ("looks", "minute", "is_void"),
    [
        ([], 31, False),
        ([looked(31)], 40, False),
        ([looked(31)], 41, True),
        ([looked(31), looked(40)], 41, True),
        ([looked(31, "b")], 60, False),  # that one showed a candidate
    ],
)
def test_two_empty_listings_ten_minutes_apart_void(
    looks: list[Looked], minute: float, is_void: bool
) -> None:
    verdict = resolve(sending(*looks), [], at(minute))
    assert isinstance(verdict, Void) is is_void
    assert is_void or verdict == LookAgain(())
