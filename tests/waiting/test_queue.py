"""The current plans, and their waiting tasks in order."""

from datetime import timedelta

import pytest

from claude_batch.ledger.events import AnyEvent, Held, JobChanged, PullRequestClosed
from claude_batch.ledger.view import LedgerState
from claude_batch.waiting.current_plans import (
    TIME_TO_LIVE,
    current_plans,
    is_cancelled,
    is_closed,
    is_superseded,
)
from claude_batch.waiting.queue import WaitingTask, count_reasons, due_by_plan, waiting_tasks
from claude_batch.waiting.settings import FlushThresholds, WaitingSettings
from claude_batch.waiting.task_states import WaitingReason
from ledger_events import answered, at, head
from planned import SETTINGS, planned, sent

DAY = 24 * 60


def current(events: list[AnyEvent], minute: float = 30) -> list[str]:
    state = LedgerState.from_events(events)
    return sorted(plan.id for plan in current_plans(state, at(minute)))


def closed(minute: float, pr: int = 7) -> PullRequestClosed:
    return PullRequestClosed(**head(minute), pr=pr, merged=False)


def changed(minute: float, action: str) -> JobChanged:
    return JobChanged(**head(minute), id="p1", action=action)


class TestCurrentPlans:
    def test_the_latest_of_each_pull_request_and_range(self) -> None:
        plans = [
            planned("old", "t1"),
            planned("new", "t1", minute=5),
            planned("other", "t1", pr=8),
            planned("range 1", "t1", pr=None, label="main..feature"),
            planned("range 2", "t1", pr=None, label="main..feature", minute=5),
            planned("staged", "t1", pr=None, label="staged changes"),
        ]
        assert current([*plans]) == ["new", "other", "range 2", "staged"]
        state = LedgerState.from_events(plans)
        superseded = [plan.id for plan in state.plans if is_superseded(state, plan)]
        assert superseded == ["old"]

    @pytest.mark.parametrize("source", ["tasks", "rest", "mcp"])
    def test_every_plan_of_a_file(self, source: str) -> None:
        plans = [
            planned(name, "t1", minute=n, pr=None, source=source)
            for n, name in enumerate(("first", "second"))
        ]
        assert current([*plans]) == ["first", "second"]

    def test_a_closed_pull_request_until_it_is_planned_anew(self) -> None:
        assert current([planned("p1", "t1"), closed(10)]) == []
        assert current([planned("p1", "t1"), closed(10), planned("p2", "t1", minute=20)]) == ["p2"]
        assert current([planned("p1", "t1"), closed(10, pr=8)]) == ["p1"]
        state = LedgerState.from_events([planned("p1", "t1"), closed(0)])
        assert is_closed(state, state.plans[0])

    @pytest.mark.parametrize("action", ["cancelled", "deleted"])
    def test_one_that_a_person_ended_until_it_is_reopened(self, action: str) -> None:
        plan = planned("p1", "t1")
        assert current([plan, changed(5, action)]) == []
        assert current([plan, changed(5, action), changed(9, "reopened")]) == ["p1"]
        state = LedgerState.from_events([plan, changed(5, "reopened"), changed(9, action)])
        assert is_cancelled(state, plan)

    def test_none_beyond_the_time_to_live(self) -> None:
        end = TIME_TO_LIVE / timedelta(minutes=1)
        plans: list[AnyEvent] = [planned("p1", "t1"), planned("range", "t1", pr=None)]
        assert current(plans, end) == ["p1", "range"]
        assert current(plans, end + 1) == []
        assert current([*plans, changed(DAY, "reopened")], end + 1) == ["p1"]


def waiting(
    *events: AnyEvent, minute: float = 30, settings: WaitingSettings = SETTINGS
) -> list[WaitingTask]:
    return waiting_tasks(LedgerState.from_events(events), settings, at(minute))


def names(items: list[WaitingTask]) -> list[tuple[str, str]]:
    return [(item.plan.id, str(item.task.id)) for item in items]


class TestOrder:
    def test_by_priority_then_by_age_and_each_task_once(self) -> None:
        found = waiting(
            planned("p1", "t1", "t2", minute=1),
            planned("p2", "t2", "t3", minute=2, pr=8, priority=75),
            planned("p3", "t4", minute=0, pr=9),
        )
        assert names(found) == [("p2", "t2"), ("p2", "t3"), ("p3", "t4"), ("p1", "t1")]

    def test_what_is_in_flight_or_answered_does_not_wait(self) -> None:
        events = [*sent("i1", "t1"), *sent("i2", "t2"), answered("i2")]
        assert names(waiting(planned("p1", "t1", "t2", "t3"), *events)) == [("p1", "t3")]

    def test_a_task_is_sent_for_a_plan_for_which_it_is_due(self) -> None:
        held = Held(**head(1), target="p1", on=True)
        plans = [planned("p1", "t1", "t2", priority=75), planned("p2", "t1", pr=8)]
        assert names(waiting(*plans, held)) == [("p1", "t2"), ("p2", "t1")]


class TestDue:
    def test_the_due_tasks_by_plan(self) -> None:
        found = waiting(
            planned("p1", "t1", "t2"), planned("p2", "t3", pr=8, not_before=at(60)), minute=30
        )
        assert {plan: [*tasks] for plan, tasks in due_by_plan(found, at(30)).items()} == {
            "p1": ["t1", "t2"]
        }
        assert [*due_by_plan(found, at(60))] == ["p1", "p2"]

    def test_a_flush_ends_waits_but_holds_and_times_that_were_asked_for(self) -> None:
        found = waiting(
            planned("later", "t1", lane="later"),
            planned("time", "t2", pr=8, not_before=at(60)),
            planned("hold", "t3", pr=9),
            planned("staged", "t4", pr=None, head=None),
            Held(**head(1), target="hold", on=True),
        )
        assert due_by_plan(found, at(30)) == {}
        assert [*due_by_plan(found, at(30), is_flush=True)] == ["later"]
        assert count_reasons(found) == {
            WaitingReason.FLUSH: 1,
            WaitingReason.NOT_BEFORE: 1,
            WaitingReason.PAUSED: 1,
            WaitingReason.SUBMIT: 1,
        }

    def test_the_most_frequent_reason_comes_first(self) -> None:
        found = waiting(planned("p1", "t1", lane="later"), planned("p2", "t2", "t3", pr=8))
        assert list(count_reasons(found).items()) == [
            (WaitingReason.NEXT_RUN, 2),
            (WaitingReason.FLUSH, 1),
        ]


class TestThresholds:
    """Three tasks of 100 bytes each, in lane `later`; the oldest is 30 minutes old."""

    @pytest.mark.parametrize(
        ("thresholds", "is_sent"),
        [
            (FlushThresholds(), False),
            (FlushThresholds(count=3), True),
            (FlushThresholds(count=4), False),
            (FlushThresholds(size=300), True),
            (FlushThresholds(size=301), False),
            (FlushThresholds(age=timedelta(minutes=30)), True),
            (FlushThresholds(age=timedelta(minutes=31)), False),
            (FlushThresholds(count=9, size=999, age=timedelta(minutes=30)), True),
        ],
    )
    def test_one_that_is_reached_suffices(self, thresholds: FlushThresholds, is_sent: bool) -> None:
        settings = WaitingSettings(SETTINGS.models, SETTINGS.efforts, "", thresholds)
        found = waiting(
            planned("p1", "t1", "t2", lane="later"),
            planned("p2", "t2", "t3", pr=8, minute=10, lane="later"),
            settings=settings,
        )
        assert len(found) == 3
        assert {item.reading.is_due(at(30)) for item in found} == {is_sent}

    def test_other_lanes_do_not_wait_and_do_not_count(self) -> None:
        settings = WaitingSettings(SETTINGS.models, SETTINGS.efforts, "", FlushThresholds(count=2))
        found = waiting(
            planned("p1", "t1", lane="later"), planned("p2", "t2", pr=8), settings=settings
        )
        assert {item.plan.id: item.reading.is_due(at(30)) for item in found} == {
            "p1": False,
            "p2": True,
        }
