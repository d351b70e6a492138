"""What became of each task of a plan."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from claude_batch.anthropic_api.results import Outcome
from claude_batch.config.model import Config
from claude_batch.ledger.events import (
    AnyEvent,
    BatchLookup,
    Held,
    IntentId,
    JobChanged,
    Plan,
    Unsent,
)
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.settings import WaitingSettings
from claude_batch.waiting.task_states import (
    BACK_OFF,
    NEVER,
    TaskReading,
    TaskState,
    WaitingReason,
    back_off,
    read_plan,
)
from ledger_events import (
    answered,
    asked,
    at,
    failed,
    forgotten,
    head,
    intent,
    settled,
    status,
    submitted,
    voided,
)
from planned import SETTINGS, planned, sent

DAY = 24 * 60
SENT = sent("i1", "t1")
AGAIN = sent("i2", "t1", minute=20)
THIRD = sent("i3", "t1", minute=40)
PAID_FAILURE = {"outcome": Outcome.UNREADABLE}
NEXT_RUN = WaitingReason.NEXT_RUN
BY_API = WaitingReason.REFUSED


def looked(name: str, minute: float) -> BatchLookup:
    return BatchLookup(**head(minute), intent=IntentId(name), candidates=())


def refused(name: str, minute: float) -> AnyEvent:
    return voided(name, minute).model_copy(update={"reason": "529", "is_refusal": True})


def read(
    events: Sequence[AnyEvent],
    minute: float = DAY,
    plan: Plan | None = None,
    task: str = "t1",
    settings: WaitingSettings = SETTINGS,
    shards: Sequence[str] = (),
) -> TaskReading:
    plan = plan or planned("p1", "t1", "t2")
    state = LedgerState.from_events([plan, *events], shards=shards)
    return read_plan(state, plan, settings, at(minute))[TaskId(task)]


# The fate of the only task → its state, the reason to wait, and the minute from which it is due
CASES: dict[str, tuple[list[AnyEvent], TaskState, WaitingReason | None, float | None]] = {
    "never sent": ([], TaskState.WAITING, NEXT_RUN, None),
    "in flight": (SENT, TaskState.IN_FLIGHT, None, None),
    "answered": ([*SENT, answered("i1")], TaskState.ANSWERED, None, None),
    "expired": ([*SENT, failed("i1")], TaskState.WAITING, BY_API, 10),
    "expired twice": (
        [*SENT, failed("i1"), *AGAIN, failed("i2", minute=30)],
        TaskState.WAITING,
        BY_API,
        45,
    ),
    "expired, and sent again": ([*SENT, failed("i1"), *AGAIN], TaskState.IN_FLIGHT, None, None),
    "overloaded": (
        [*SENT, failed("i1", outcome=Outcome.ERRORED)],
        TaskState.WAITING,
        BY_API,
        10,
    ),
    "invalid": (
        [*SENT, failed("i1", outcome=Outcome.ERRORED, retriable=False)],
        TaskState.FAILED,
        None,
        None,
    ),
    "unreadable": ([*SENT, answered("i1", **PAID_FAILURE)], TaskState.WAITING, NEXT_RUN, None),
    "unreadable three times": (
        [
            *(*SENT, answered("i1", **PAID_FAILURE)),
            *(*AGAIN, answered("i2", minute=30, **PAID_FAILURE)),
            *(*THIRD, answered("i3", minute=50, **PAID_FAILURE)),
        ],
        TaskState.FAILED,
        None,
        None,
    ),
    "expired after it was paid": (
        [*SENT, answered("i1", **PAID_FAILURE), *AGAIN, failed("i2", minute=30)],
        TaskState.WAITING,
        BY_API,
        30,
    ),
    "refused alone": (
        [*SENT, answered("i1", outcome=Outcome.REFUSED)],
        TaskState.FAILED,
        None,
        None,
    ),
    "canceled": ([*SENT, failed("i1", outcome=Outcome.CANCELED)], TaskState.CANCELLED, None, None),
    "canceled by another pull request": (
        [*sent("i1", "t1", pr=8), failed("i1", outcome=Outcome.CANCELED)],
        TaskState.WAITING,
        NEXT_RUN,
        None,
    ),
    "expired, then canceled": (
        [*SENT, failed("i1"), *AGAIN, failed("i2", minute=30, outcome=Outcome.CANCELED)],
        TaskState.CANCELLED,
        None,
        None,
    ),
    "lost": ([*SENT, status("i1", "lost")], TaskState.WAITING, NEXT_RUN, None),
    "a batch that the API refused": (
        [intent("i1"), asked("i1", 0, "t1"), refused("i1", 2)],
        TaskState.WAITING,
        BY_API,
        17,
    ),
    "a batch that the API refused twice": (
        [
            *(intent("i1"), asked("i1", 0, "t1"), refused("i1", 2)),
            *(intent("i2", 20), asked("i2", 0, "t1", minute=20), refused("i2", 22)),
        ],
        TaskState.WAITING,
        BY_API,
        82,
    ),
    "a batch that never arrived": (
        [intent("i1"), asked("i1", 0, "t1"), looked("i1", 1), looked("i1", 41), voided("i1", 42)],
        TaskState.WAITING,
        NEXT_RUN,
        None,
    ),
    "reset": ([*SENT, answered("i1"), forgotten("t1")], TaskState.WAITING, NEXT_RUN, None),
    "reset after failures": (
        [*SENT, failed("i1"), *AGAIN, failed("i2", minute=25), forgotten("t1")],
        TaskState.WAITING,
        NEXT_RUN,
        None,
    ),
    "reset after a refused batch": (
        [intent("i1"), asked("i1", 0, "t1"), refused("i1", 2), forgotten("t1")],
        TaskState.WAITING,
        NEXT_RUN,
        None,
    ),
    "folded": ([settled("i1", 0, "t1")], TaskState.ANSWERED, None, None),
    "a second look": ([intent("i1"), asked("i1", 0, "t1", purpose="verify")], *(
        TaskState.WAITING, NEXT_RUN, None,
    )),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_task_by_its_requests(case: str) -> None:
    events, state, reason, due = CASES[case]
    found = read(events)
    assert (found.state, found.reason) == (state, reason)
    assert found.due_at == (None if due is None else at(due))


def test_a_pause_grows_with_each_failure() -> None:
    hours = [back_off(failures) / timedelta(hours=1) for failures in range(10)]
    assert hours == [0, 0, 0.25, 1, 2, 4, 8, 24, 24, 24]
    assert len(BACK_OFF) == 7


def test_the_words_of_the_last_failure() -> None:
    assert read([*SENT, failed("i1", error="overloaded_error: busy")]).problem == (
        "overloaded_error: busy"
    )
    assert read([*SENT, failed("i1")]).problem == "expired"
    assert read([]).problem == ""


def test_an_answer_whose_findings_are_gone_is_not_valid() -> None:
    stored = [*SENT, answered("i1", findings=2, shard="s1")]
    assert read(stored, shards=["s1"]).state is TaskState.ANSWERED
    assert read(stored).state is TaskState.WAITING
    at_the_api = [*SENT, answered("i1", findings=2)]
    assert read(at_the_api, 29 * DAY).state is TaskState.ANSWERED
    assert read(at_the_api, 29 * DAY + 1).state is TaskState.WAITING
    assert read([*SENT, answered("i1")], 99 * DAY).state is TaskState.ANSWERED, "no findings"


def test_a_lost_answer_of_lane_now_is_asked_for_twice() -> None:
    now = {"outcome": Outcome.UNREADABLE, "batch": None, "usage": None}
    once = [*SENT, answered("i1", **now)]
    assert read(once).state is TaskState.WAITING
    assert read([*once, *AGAIN, answered("i2", minute=30, **now)]).state is TaskState.FAILED


class TestSettings:
    REFUSED_ALONE = (*SENT, answered("i1", outcome=Outcome.REFUSED))

    def test_a_failure_counts_for_its_model_and_effort(self) -> None:
        for config in (Config(model="claude-opus-5-5"), Config(effort="high")):
            settings = WaitingSettings.from_config(config)
            found = read(self.REFUSED_ALONE, settings=settings)
            assert (found.state, found.is_solo) == (TaskState.WAITING, False)

    def test_a_model_of_the_ladder_is_a_setting_of_today(self) -> None:
        config = Config(model="claude-opus-5-5", ladder=("claude-sonnet-5-5",))
        settings = WaitingSettings.from_config(config)
        assert read(self.REFUSED_ALONE, settings=settings).state is TaskState.FAILED

    def test_a_failure_counts_for_its_head(self) -> None:
        pushed = planned("p2", "t1", minute=60).model_copy(update={"head": "d" * 40})
        assert read(self.REFUSED_ALONE, plan=pushed).state is TaskState.WAITING
        again = planned("p2", "t1", minute=60)
        assert read([planned("p1", "t1"), *self.REFUSED_ALONE], plan=again).state is (
            TaskState.FAILED
        )

    def test_an_answer_counts_for_every_model_and_head(self) -> None:
        pushed = planned("p2", "t1", minute=60).model_copy(update={"head": "d" * 40})
        settings = WaitingSettings.from_config(Config(model="claude-opus-5-5"))
        found = read([*SENT, answered("i1")], plan=pushed, settings=settings)
        assert found.state is TaskState.ANSWERED


class TestCutAnswers:
    def test_a_shared_one_is_asked_alone(self) -> None:
        for outcome in (Outcome.REFUSED, Outcome.TRUNCATED):
            shared = sent("i1", "t1", "t2")
            found = read([*shared, answered("i1", outcome=outcome)])
            assert (found.state, found.is_solo) == (TaskState.WAITING, True)
            assert found.limit_factor == 1

    def test_a_lone_one_has_more_room_each_time(self) -> None:
        events: list[AnyEvent] = []
        factors = []
        for n, minute in enumerate((0, 20)):
            events += sent(f"i{n}", "t1", minute=minute)
            events.append(answered(f"i{n}", minute=minute + 10, outcome=Outcome.TRUNCATED))
            factors.append(read(events).limit_factor)
        assert factors == [2, 4]


class TestDefinitions:
    """Task t1 was asked within d1. In the plan it stands within d2."""

    ASKED = (*sent("i1", "t1 d1"), answered("i1"))
    PLAN = planned("p2", "t1 d2", minute=15)

    def test_a_changed_definition_is_asked_about_at_once(self) -> None:
        found = read(self.ASKED, 20, self.PLAN)
        assert (found.state, found.is_reask) == (TaskState.WAITING, True)
        assert found.is_due(at(20))

    def test_an_equal_definition_costs_nothing(self) -> None:
        assert read(self.ASKED, 20, planned("p2", "t1 d1")).state is TaskState.ANSWERED

    def test_without_a_definition_nothing_is_compared(self) -> None:
        assert read(self.ASKED, 20, planned("p2", "t1")).state is TaskState.ANSWERED
        plain = [*SENT, answered("i1")]
        assert read(plain, 20, self.PLAN).state is TaskState.ANSWERED

    def test_the_second_time_comes_a_day_later(self) -> None:
        twice = [*self.ASKED, *sent("i2", "t1 d2", minute=20), answered("i2", minute=30)]
        assert read(twice, 40, self.PLAN).state is TaskState.ANSWERED
        third = planned("p3", "t1 d3", minute=35)
        assert read(twice, 40, third).state is TaskState.ANSWERED, "the old answer stays"
        assert read(twice, 30 + DAY, third).is_reask

    def test_a_change_that_is_a_task_of_the_plan_has_it_as_context(self) -> None:
        both = planned("p2", "t1 d2", "t2 d2", minute=15)
        assert read(self.ASKED, 20, both).state is TaskState.ANSWERED
        asking = [*self.ASKED, *sent("i2", "t2 d2", minute=16)]
        assert read(asking, 20, both).state is TaskState.ANSWERED
        done = [*asking, answered("i2", minute=30)]
        assert read(done, 2 * DAY, both).state is TaskState.ANSWERED

    def test_a_change_outside_of_the_plan_is_asked_about_with_both(self) -> None:
        both = planned("p2", "t1 d2", "t2 d2", minute=15)
        old = [*sent("i1", "t1 d1", "t2 d1"), answered("i1")]
        assert {read(old, 20, both, task).is_reask for task in ("t1", "t2")} == {True}

    def test_another_definition_of_the_plan_does_not_matter(self) -> None:
        both = planned("p2", "t1 d2", "t2 d9", minute=15)
        assert read(self.ASKED, 20, both).is_reask

    def test_it_is_in_flight_only_once(self) -> None:
        asking = [*self.ASKED, *sent("i2", "t1 d2", minute=16)]
        assert read(asking, 20, self.PLAN).state is TaskState.IN_FLIGHT


class TestReasons:
    def unsent(self, minute: float, **more: object) -> Unsent:
        fields: dict[str, object] = {
            **head(minute),
            "plan": "p1",
            "reason": "budget",
            "problem": "too dear",
            "retry_at": at(minute + 15),
            "settings": SETTINGS.digest,
        }
        return Unsent(**(fields | more))

    def test_the_budget_until_its_time(self) -> None:
        found = read([self.unsent(5)], 6)
        assert (found.reason, found.problem, found.due_at) == (
            WaitingReason.BUDGET,
            "too dear",
            at(20),
        )
        assert not found.is_due(at(19))
        assert found.is_due(at(20))

    def test_a_plan_that_could_not_be_built(self) -> None:
        found = read([self.unsent(5, reason="failed", problem="no such commit")], 6)
        assert (found.reason, found.problem) == (NEXT_RUN, "no such commit")

    def test_another_configuration_ends_the_wait(self) -> None:
        found = read([self.unsent(5, settings="of yesterday")], 6)
        assert (found.reason, found.problem, found.due_at) == (NEXT_RUN, "", None)
        assert read([self.unsent(5, settings="")], 6).due_at == at(20)

    def test_a_reset_ends_the_wait(self) -> None:
        assert read([self.unsent(5), forgotten("t1", minute=6)], 7).due_at is None

    def test_the_later_of_two_reasons_counts(self) -> None:
        refusal = [intent("i1"), asked("i1", 0, "t1"), refused("i1", 10)]
        assert read([self.unsent(5), *refusal]).reason is BY_API
        assert read([self.unsent(15), *refusal]).reason is WaitingReason.BUDGET

    @pytest.mark.parametrize("target", ["all", "kind:review", "p1"])
    def test_a_hold(self, target: str) -> None:
        hold = Held(**head(1), target=target, on=True)
        found = read([hold])
        assert (found.reason, found.due_at) == (WaitingReason.PAUSED, NEVER)
        assert read([hold, Held(**head(2), target=target, on=False)]).reason is NEXT_RUN
        assert read([hold, *SENT]).state is TaskState.IN_FLIGHT, "a hold cancels nothing"

    def test_a_hold_of_another_kind_or_job(self) -> None:
        holds = [Held(**head(1), target=target, on=True) for target in ("kind:docs", "p2")]
        assert read(holds).reason is NEXT_RUN

    def test_a_time_that_has_not_come(self) -> None:
        later = planned("p1", "t1", not_before=at(60))
        assert (read([], 59, later).reason, read([], 59, later).due_at) == (
            WaitingReason.NOT_BEFORE,
            at(60),
        )
        assert read([], 60, later).is_due(at(60))

    def test_changes_without_a_commit_wait_for_the_next_submit(self) -> None:
        staged = planned("p1", "t1", pr=None, head=None)
        assert (read([], 1, staged).reason, read([], 1, staged).due_at) == (
            WaitingReason.SUBMIT,
            NEVER,
        )

    def test_a_deadline(self) -> None:
        plan = planned("p1", "t1", deadline=at(60))
        assert read([], 59, plan).state is TaskState.WAITING
        assert read([], 60, plan).state is TaskState.EXPIRED
        assert read([*SENT, answered("i1")], 60, plan).state is TaskState.ANSWERED
        assert read(SENT, 60, plan).state is TaskState.IN_FLIGHT
        reopened = JobChanged(**head(70), id="p1", action="reopened")
        assert read([reopened], 80, plan).state is TaskState.WAITING
        early = JobChanged(**head(50), id="p1", action="reopened")
        assert read([early], 60, plan).state is TaskState.EXPIRED


def test_an_adopted_batch_is_in_flight() -> None:
    events = [*SENT, voided("i1", 0.5), submitted("i1", 2)]
    assert read(events).state is TaskState.IN_FLIGHT
