from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from claude_batch.anthropic_api.models import BatchId
from claude_batch.batches.recovery import (
    AbandonIntent,
    AdoptBatch,
    CheckAgain,
    claimed_batch_ids,
    decide_recovery,
    earliest_creation,
    find_candidates,
    has_results_of,
    is_new_lookup,
    unconfirmed_batches,
    was_never_created,
)
from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.events import BatchLookup, IntentId
from claude_batch.ledger.view import LedgerState
from ledger_events import REPO, answered, asked, at, intent, submitted, voided


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


def looked(minute: float, *candidates: str) -> BatchLookup:
    return BatchLookup(
        at=at(minute),
        run="run-1",
        repo=REPO,
        intent=IntentId("i1"),
        candidates=tuple(BatchId(name) for name in candidates),
    )


def sending(*looks: BatchLookup) -> BatchRecord:
    return LedgerState.from_events([intent("i1"), asked("i1", 0, "t1"), *looks]).batch_records[
        IntentId("i1")
    ]


def test_doubtful_is_what_has_no_fact() -> None:
    events = [intent("i1"), asked("i1", 0, "t1")]
    assert [one.intent.id for one in unconfirmed_batches(LedgerState.from_events(events))] == ["i1"]
    for fact in (submitted("i1"), voided("i1"), answered("i1")):
        assert unconfirmed_batches(LedgerState.from_events([*events, fact])) == []


def test_the_lane_now_has_no_listing_to_look_at() -> None:
    now = intent("i1").model_copy(update={"lane": "now"})
    (one,) = unconfirmed_batches(LedgerState.from_events([now, asked("i1", 0, "t1")]))
    assert find_candidates(one, [batch("b", 0)], ()) == []
    assert earliest_creation([one]) > at(10**6)


def test_taken_are_the_batches_of_all_intents() -> None:
    view = LedgerState.from_events([intent("i1"), submitted("i1"), intent("i2")])
    assert claimed_batch_ids(view) == {"batch-i1"}


DAY = 24 * 60


@pytest.mark.parametrize(
    ("found", "is_candidate"),
    [
        (batch("b", 0), True),
        (batch("b", -DAY), True),  # the clock of who claimed it was ahead
        (batch("b", -DAY - 1), False),
        (batch("b", 45), True),
        (batch("b", 46), False),  # forty minutes after the first look: nobody sends any more
        (batch("b", 1, requests=2), False),
        (batch("ours", 1), False),
    ],
)
def test_a_candidate_fits_the_intent(found: Batch, is_candidate: bool) -> None:
    one = sending(looked(5), looked(50, "b"))
    assert find_candidates(one, [found], {BatchId("ours")}) == [found] * is_candidate


def test_before_the_first_look_a_sender_may_be_as_late_as_it_likes() -> None:
    late = batch("b", 10 * DAY)
    assert find_candidates(sending(), [late], ()) == [late]


def test_results_say_whose_they_are() -> None:
    assert has_results_of(sending(), ["x-0-abc", "i1-0-abc"])
    assert has_results_of(sending(), ["i11-0-abc", "theirs"]) is False
    assert has_results_of(sending(), []) is None  # the results were cut off


def test_what_was_created_before_all_doubts_is_not_listed() -> None:
    earlier = LedgerState.from_events(
        [intent("i2", minute=-5), asked("i2", 0, "t2")]
    ).batch_records[IntentId("i2")]
    assert earliest_creation([sending(), earlier]) == at(-5 - DAY)


def test_a_batch_whose_results_name_the_intent_is_adopted() -> None:
    found = [(batch("b", 1), False), (batch("c", 2), True), (batch("d", 3), None)]
    assert decide_recovery(sending(), found, at(31)) == AdoptBatch(batch("c", 2))


def test_before_it_has_ended_nobody_knows_whose_it_is() -> None:
    """The only one that fits may be that of another job, which is about to record it."""
    found = [(batch("b", 1), None)]
    assert decide_recovery(sending(looked(31)), found, at(60)) == CheckAgain((BatchId("b"),))


def test_a_look_is_recorded_when_it_shows_something_else() -> None:
    none, one = CheckAgain(()), CheckAgain((BatchId("b"),))
    assert is_new_lookup(sending(), none)
    assert not is_new_lookup(sending(looked(31)), none)
    assert is_new_lookup(sending(looked(31)), one)
    assert not is_new_lookup(sending(looked(31), looked(32, "b")), one)


@pytest.mark.parametrize(
    ("looks", "minute", "is_void"),
    [
        ([], 10**4, False),
        ([looked(1)], 40, False),
        ([looked(1)], 41, True),  # the lease of thirty minutes, and ten more
        ([looked(-120)], -80, True),  # however far ahead the clock of who claimed it
        ([looked(120)], 159, False),  # or behind
        ([looked(1, "b"), looked(35)], 44, False),  # that one showed a candidate
        ([looked(1, "b"), looked(35)], 45, True),
        ([looked(1, "b")], 60, False),
    ],
)
def test_a_lease_is_counted_from_the_first_look(
    looks: list[BatchLookup], minute: float, is_void: bool
) -> None:
    verdict = decide_recovery(sending(*looks), [], at(minute))
    assert isinstance(verdict, AbandonIntent) is is_void
    assert is_void or verdict == CheckAgain(())


def test_a_lease_that_was_renewed_is_longer() -> None:
    renewed = intent("i1", minute=20).model_copy(update={"lane": "now"})
    events = [intent("i1"), renewed, asked("i1", 0, "t1"), looked(1)]
    one = LedgerState.from_events(events).batch_records[IntentId("i1")]
    assert decide_recovery(one, [], at(60)) == CheckAgain(())
    assert isinstance(decide_recovery(one, [], at(61)), AbandonIntent)


@pytest.mark.parametrize(("minutes", "is_so"), [((1, 41), True), ((1, 2), False), ((), False)])
def test_what_never_arrived_was_looked_for_long_enough(
    minutes: tuple[int, ...], is_so: bool
) -> None:
    events = [intent("i1"), asked("i1", 0, "t1"), *map(looked, minutes)]
    assert not was_never_created(LedgerState.from_events(events).batch_records[IntentId("i1")])
    assert (
        was_never_created(
            LedgerState.from_events([*events, voided("i1")]).batch_records[IntentId("i1")]
        )
        is is_so
    )
