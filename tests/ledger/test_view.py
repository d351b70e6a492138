"""What the fold makes of events."""

import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.results import Outcome
from claude_batch.ledger.events import (
    AnyEvent,
    BatchLookup,
    FeedbackRecorded,
    FoldedRequest,
    Lease,
    Post,
    PullRequestClosed,
)
from claude_batch.ledger.view import LedgerState, TaskStatus
from claude_batch.tasks.task import TaskId
from ledger_events import (
    answered,
    asked,
    at,
    failed,
    forgotten,
    head,
    intent,
    plan,
    settled,
    status,
    submitted,
    voided,
)

T1, T2, T3 = TaskId("t1"), TaskId("t2"), TaskId("t3")
SENT = [intent("i1", requests=2), asked("i1", 0, "t1"), asked("i1", 1, "t2"), submitted("i1")]


def test_an_empty_ledger_knows_nothing() -> None:
    view = LedgerState.from_events([])
    assert view == LedgerState()
    assert view.known_tasks([T1]) == set()
    assert view.spent(at(0)) == 0
    assert view.open_batches() == []
    assert view.latest_plan(7) is None


@pytest.mark.parametrize(
    ("more", "standing"),
    [
        ([], TaskStatus.IN_FLIGHT),
        ([answered("i1")], TaskStatus.ANSWERED),
        ([failed("i1")], TaskStatus.NEW),
        ([status("i1", "lost")], TaskStatus.NEW),
        ([status("i1", "collected")], TaskStatus.NEW),
        ([status("i1", "ended")], TaskStatus.IN_FLIGHT),
        ([answered("i1"), forgotten("t1")], TaskStatus.NEW),
        ([answered("i1", minute=40), forgotten("t1")], TaskStatus.ANSWERED),
        ([failed("i1", outcome=Outcome.ERRORED, retriable=False)], TaskStatus.FAILED),
        ([failed("i1", outcome=Outcome.ERRORED, retriable=True)], TaskStatus.NEW),
        ([failed("i1", outcome=Outcome.REFUSED, retriable=False)], TaskStatus.NEW),
        ([failed("i1"), intent("i2"), asked("i2", 0, "t1")], TaskStatus.IN_FLIGHT),
        ([failed("i1"), intent("i2"), asked("i2", 0, "t1"), failed("i2")], TaskStatus.FAILED),
        ([failed("i1"), settled("i0", 0, "t1", outcome=Outcome.REFUSED)], TaskStatus.FAILED),
        (
            [failed("i1"), intent("i2"), asked("i2", 0, "t1"), failed("i2"), forgotten("t1")],
            TaskStatus.NEW,
        ),
        ([failed("i1"), settled("i0", 0, "t1")], TaskStatus.ANSWERED),
        ([settled("i1", 0, "t1")], TaskStatus.ANSWERED),
        ([voided("i1")], TaskStatus.IN_FLIGHT),  # the batch exists: the belief was wrong
    ],
)
def test_standing(more: list[AnyEvent], standing: TaskStatus) -> None:
    assert LedgerState.from_events([*SENT, *more]).task_status(T1) is standing


def test_an_intent_occupies_its_tasks_until_it_is_voided() -> None:
    events: list[AnyEvent] = [intent("i1"), asked("i1", 0, "t1")]
    assert LedgerState.from_events(events).task_status(T1) is TaskStatus.IN_FLIGHT
    assert LedgerState.from_events([*events, voided("i1")]).task_status(T1) is TaskStatus.NEW


def test_a_second_look_neither_answers_nor_occupies_a_task() -> None:
    look = [intent("i2"), asked("i2", 0, "t1", purpose="verify", about=("finding-1",))]
    assert LedgerState.from_events(look).task_status(T1) is TaskStatus.NEW
    view = LedgerState.from_events([*look, answered("i2")])
    assert view.task_status(T1) is TaskStatus.NEW
    assert [a.purpose for a, _ in view.answers_of([T1])] == ["verify"]


def test_known_are_those_in_flight_answered_or_failed() -> None:
    broken = failed("i1", 1, outcome=Outcome.ERRORED, retriable=False)
    assert LedgerState.from_events([*SENT, broken]).known_tasks([T1, T2, T3]) == {T1, T2}


def test_open_batches_come_oldest_first_and_end_with_their_last_answer() -> None:
    old = [intent("i0", minute=-5), asked("i0", 0, "t3")]
    view = LedgerState.from_events([*SENT, *old, answered("i1", 0)])
    assert [sending.intent.id for sending in view.open_batches()] == ["i0", "i1"]
    done = LedgerState.from_events([*SENT, *old, answered("i1", 0), failed("i1", 1)])
    assert [sending.intent.id for sending in done.open_batches()] == ["i0"]
    assert done.batch_records[SENT[0].id].status(at(0)) == "collected"


@pytest.mark.parametrize(
    ("events", "minute", "word"),
    [
        (SENT[:3], 5, "intent"),
        (SENT[:3], 30, "undecided"),
        (SENT, 30, "in_progress"),
        ([*SENT, status("i1", "canceling")], 30, "canceling"),
        ([*SENT, status("i1", "canceling"), status("i1", "ended")], 30, "ended"),
        ([*SENT, status("i1", "ended"), status("i1", "collected")], 30, "collected"),
        ([*SENT, status("i1", "lost")], 30, "lost"),
        ([*SENT[:3], voided("i1")], 30, "lost"),
    ],
)
def test_status(events: list[AnyEvent], minute: int, word: str) -> None:
    assert LedgerState.from_events(events).batch_records[SENT[0].id].status(at(minute)) == word


def test_spent_is_what_was_paid_and_what_may_still_be() -> None:
    assert LedgerState.from_events(SENT).spent(at(0)) == Decimal("0.10")
    view = LedgerState.from_events([*SENT, answered("i1", 0, minute=10)])
    assert view.spent(at(0)) == Decimal("0.07")
    assert view.spent(at(11)) == Decimal("0.05")
    assert view.spent(at(0), pr=7) == Decimal("0.07")
    assert view.spent(at(0), pr=8) == 0


def test_a_failure_without_tokens_is_free_and_tokens_without_a_price_are_not() -> None:
    assert LedgerState.from_events([*SENT, failed("i1", 0), failed("i1", 1)]).spent(at(0)) == 0
    unpriced = answered("i1", 0, usd=None, usd_standard=None)
    # It counts at its estimate, and no longer at the reservation.
    spent = LedgerState.from_events([*SENT, unpriced, failed("i1", 1)]).spent(at(0))
    assert spent == Decimal("0.01")


def test_nothing_is_reserved_for_what_was_never_sent() -> None:
    assert LedgerState.from_events([*SENT[:3], voided("i1")]).spent(at(0)) == 0
    assert LedgerState.from_events([*SENT, status("i1", "lost")]).spent(at(0)) == 0


def test_a_request_that_stands_there_raw_and_folded_counts_once() -> None:
    events = [*SENT, answered("i1", 0), failed("i1", 1)]
    folded: list[AnyEvent] = [settled("i1", 0, "t1"), settled("i0", 0, "t3")]
    view = LedgerState.from_events([*events, *folded])
    assert view.spent(at(0)) == Decimal("0.04")
    assert len(view.answers_of([T1])) == 1
    half = LedgerState.from_events([*SENT, settled("i1", 0, "t1"), failed("i1", 1)])
    assert half.spent(at(0)) == Decimal("0.02")
    assert half.open_batches() == []


def test_answers_of() -> None:
    view = LedgerState.from_events(
        [*SENT, answered("i1", 0, minute=12), settled("i0", 3, "t1", "t3")]
    )
    row = settled("i0", 3, "t1", "t3")
    assert view.answers_of([T1, T2, T3]) == [
        (row.request(), row.answer()),
        (SENT[1], answered("i1", 0, minute=12)),
    ]
    assert view.answers_of([T2]) == []
    assert row.request().tasks[1].id == T3


def test_a_folded_request_joins_its_sending() -> None:
    folded = [intent("i1"), submitted("i1"), settled("i1", 0, "t1", minute=12)]
    view = LedgerState.from_events(folded)
    [(question, answer)] = view.answers_of([T1])
    assert (question.at, answer.at) == (at(0), at(12))
    assert answer.batch == BatchId("batch-i1")
    assert view.open_batches() == []
    assert view.anchored_tasks() == {}
    raw = LedgerState.from_events([*folded, asked("i1", 0, "t1")])
    assert raw.requests[0].answer == answer
    assert raw.anchored_tasks()[T1].signs == "+"


def test_a_folded_second_look_does_not_hide_what_was_shown() -> None:
    look = settled("i2", 0, "t1", minute=50, purpose="verify", about=("1",))
    view = LedgerState.from_events([*SENT, answered("i1"), intent("i2", 40), look])
    assert view.anchored_tasks()[T1].signs == "+"


def test_a_forgotten_answer_is_not_given_again() -> None:
    events = [*SENT, answered("i1", 0), forgotten("t1")]
    assert LedgerState.from_events(events).answers_of([T1]) == []
    again = [intent("i2", 40), asked("i2", 0, "t1"), answered("i2", minute=50)]
    assert [a.intent for a, _ in LedgerState.from_events([*events, *again]).answers_of([T1])] == [
        "i2"
    ]


def test_an_answer_whose_intent_is_unreadable_is_counted_and_named() -> None:
    view = LedgerState.from_events([answered("i9")], damaged=("log/x: broken",))
    assert view.damaged == ("log/x: broken", "intent i9: answered, but not readable")
    assert view.spent(at(0)) == Decimal("0.02")
    assert view.spent(at(11)) == 0, "it was paid before"
    assert view.spent(at(0), pr=7) == 0, "nobody knows its pull request"
    folded = LedgerState.from_events([answered("i9"), settled("i9", 0, "t1")])
    assert (folded.spent(at(0)), folded.damaged) == (Decimal("0.02"), ())


def test_an_answer_whose_request_is_unreadable_is_counted_and_named() -> None:
    view = LedgerState.from_events(
        [*SENT[:2], submitted("i1"), answered("i1", 0), answered("i1", 1)]
    )
    assert view.damaged == view.money_damage
    assert view.damaged == (
        "intent i1: answered, but not readable",
        "intent i1: 1 of 2 requests missing",
    )
    assert view.spent(at(0)) == Decimal("0.04")
    assert view.spent(at(0), pr=7) == Decimal("0.02")


def test_a_folded_request_has_the_model_of_its_answer() -> None:
    row = FoldedRequest.from_request(
        asked("i1", 0, "t1", model="claude-opus-5"),
        answered("i1", model="claude-opus-5-2"),
        "batch",
    )
    assert (row.request().model, row.answer().model) == ("claude-opus-5-2", "claude-opus-5-2")


def test_the_latest_counts_of_plans_posts_leases_and_closings() -> None:
    def post(minute: int, state: str) -> Post:
        what = {"pr": 7, "what": "comment", "key": "f1", "remote_id": 5, "sha": "s", "head": "h"}
        return Post(**head(minute), **what, state=state)

    def lease(minute: int, owner: str, until: int) -> Lease:
        return Lease(**head(minute), scope="publish:7", owner=owner, until=at(until))

    view = LedgerState.from_events(
        [
            *(plan("p2", 2), plan("p1", 1), plan("p3", 3, pr=8), plan("p4", 4, pr=None)),
            *(post(2, "deleted"), post(1, "posted")),
            *(lease(1, "a", 31), lease(40, "b", 70)),
            *(
                PullRequestClosed(**head(2), pr=7, merged=True),
                PullRequestClosed(**head(1), pr=7, merged=False),
            ),
        ]
    )
    latest = view.latest_plan(7)
    assert latest is not None
    assert latest.id == "p2"
    assert view.posts[7, "f1"].state == "deleted"
    assert view.closed[7].merged
    assert view.lease_holder("publish:7", "a", at(50)) == "b"
    assert view.lease_holder("publish:7", "b", at(50)) is None
    assert view.lease_holder("publish:7", "a", at(70)) is None
    assert view.lease_holder("publish:8", "a", at(50)) is None
    freed = LedgerState.from_events([lease(1, "a", 11), lease(5, "a", 5)])
    assert freed.lease_holder("publish:7", "b", at(4)) is None


def everything() -> list[AnyEvent]:
    signal = FeedbackRecorded(**head(9), pr=7, fingerprint="f1", what="thumbs_down")
    looked = BatchLookup(**head(9), intent=SENT[0].id, candidates=(BatchId("x"),))
    rival = answered("i1", 0, usd=Decimal("0.03"))
    return [
        *(*SENT, answered("i1", 0), rival, answered("i1", 0, minute=11), failed("i1", 1)),
        *(status("i1", "ended"), status("i1", "collected"), plan("p1"), plan("p2", 1), signal),
        *(intent("i2"), asked("i2", 0, "t2"), voided("i2"), looked, forgotten("t2", minute=5)),
        *(settled("i0", 0, "t3"), settled("i2", 0, "t2"), answered("i9"), forgotten("t2")),
    ]


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.lists(st.integers(0, 200), max_size=20))
def test_neither_order_nor_duplicates_change_the_state(
    order: random.Random, twice: list[int]
) -> None:
    events = everything()
    expected = LedgerState.from_events(events)
    shuffled = events + [events[index % len(events)] for index in twice]
    order.shuffle(shuffled)
    view = LedgerState.from_events(shuffled)
    assert view == expected
    assert view.spent(at(0)) == expected.spent(at(0))
    assert view.answers_of([T1, T2, T3]) == expected.answers_of([T1, T2, T3])
