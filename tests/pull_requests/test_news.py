"""What happened since a pull request was last read in full."""

from datetime import datetime, timedelta

import ledger_events as ev
from claude_batch.ledger.events import AnyEvent, Held, IntentAbandoned, TasksReset, Unsent
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.news import latest_news
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId
from claude_batch.verification.outcomes import VERIFICATION_TIMEOUT

SOON = ev.START + timedelta(hours=1)
TASK = PlannedTask(id=TaskId("t1"), kind="review", old_start=1, new_start=1)
FILE = PlannedFile(path="a.py", old_path="a.py", old_blob="", new_blob="", tasks=(TASK,))
PLAN = ev.plan("p").model_copy(update={"files": (FILE,)})
SENT = [PLAN, ev.intent("i"), ev.asked("i", 0, "t1")]


def news(*events: AnyEvent, now: datetime = SOON) -> datetime | None:
    return latest_news(LedgerState.from_events(events), now).get(7)


def test_a_pull_request_without_a_plan_has_none() -> None:
    assert news(ev.intent("i")) is None


def test_a_plan_and_a_later_push() -> None:
    assert news(PLAN) == PLAN.at
    later = ev.plan("q", minute=6)
    assert news(PLAN, later) == later.at


def test_an_answer_to_one_of_its_tasks_whoever_asked() -> None:
    answer = ev.answered("i", minute=10)
    assert news(*SENT, answer) == answer.at
    other = ev.asked("i", 0, "t1", pr=8)
    assert news(PLAN, ev.intent("i"), other, answer) == answer.at


def test_a_refusal() -> None:
    refused = IntentAbandoned(**ev.head(9), intent=ev.intent("i").id, reason="529", is_refusal=True)
    assert news(*SENT, refused) == refused.at


def test_tasks_that_wait_are_paused_or_reset() -> None:
    unsent = Unsent(**ev.head(11), plan="p", reason="budget", problem="x")
    held = Held(**ev.head(12), target="all", on=True)
    reset = TasksReset(**ev.head(13), tasks=(TaskId("t1"),), reason="retry")
    for event in (unsent, held, reset):
        assert news(PLAN, event) == event.at


def test_a_finding_without_its_second_look_is_news_once_more_after_the_timeout() -> None:
    answer = ev.answered("i", minute=10, findings=1)
    late = answer.at + VERIFICATION_TIMEOUT
    assert news(*SENT, answer, now=late - timedelta(seconds=1)) == answer.at
    assert news(*SENT, answer, now=late) == late


def test_a_timeout_that_has_passed_is_news() -> None:
    plan = ev.plan("p").model_copy(update={"deadline": ev.at(30)})
    state = LedgerState.from_events([plan])
    assert latest_news(state, ev.at(29)) == {7: ev.at(0)}
    assert latest_news(state, ev.at(31)) == {7: ev.at(30)}
