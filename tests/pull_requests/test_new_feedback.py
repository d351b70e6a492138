"""When a scheduled run has something to say on a pull request."""

from datetime import timedelta

import ledger_events as ev
from claude_batch.ledger.events import Post
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.record import RECENT, has_news
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId


def posted(minute: float) -> Post:
    return Post(
        **ev.head(minute), pr=7, what="check", key="check", remote_id=1, sha="s", head="h" * 40
    )


LONG_AFTER = ev.START + RECENT + timedelta(days=1)


def test_a_pull_request_that_nobody_submitted_has_none():
    assert not has_news(LedgerState.from_events([posted(1)]), 7, LONG_AFTER)


def test_a_plan_without_a_post_is_news():
    assert has_news(LedgerState.from_events([ev.plan("p")]), 7, LONG_AFTER)


def test_what_was_said_already_is_none():
    assert not has_news(LedgerState.from_events([ev.plan("p"), posted(5)]), 7, LONG_AFTER)


def test_a_second_look_may_still_be_under_way_for_a_while():
    view = LedgerState.from_events([ev.plan("p"), posted(5)])
    assert has_news(view, 7, ev.at(5) + timedelta(hours=1))


def test_a_later_push_is_news():
    assert has_news(
        LedgerState.from_events([ev.plan("p"), posted(5), ev.plan("q", minute=6)]), 7, LONG_AFTER
    )


def test_a_later_answer_to_one_of_its_tasks_is_news():
    task = PlannedTask(id=TaskId("t1"), kind="review", old_start=1, new_start=1)
    file = PlannedFile(path="a.py", old_path="a.py", old_blob="", new_blob="", tasks=(task,))
    plan = ev.plan("p").model_copy(update={"files": (file,)})
    before = [plan, ev.intent("i"), ev.asked("i", 0, "t1"), posted(5)]
    assert not has_news(LedgerState.from_events(before), 7, LONG_AFTER)
    assert has_news(LedgerState.from_events([*before, ev.answered("i", minute=10)]), 7, LONG_AFTER)
