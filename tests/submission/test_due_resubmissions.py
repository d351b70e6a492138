import pytest

from claude_batch.anthropic_api.results import Outcome
from claude_batch.ledger.events import AnyEvent, BatchLookup, IntentId, Plan, PullRequestClosed
from claude_batch.ledger.view import LedgerState
from claude_batch.submission.resubmit import due_resubmissions
from claude_batch.tasks.plan import PlannedFile, PlannedTask
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

NOW = at(24 * 60)


def planned(name: str, *tasks: str, minute: float = 0, pr: int | None = 7) -> Plan:
    rows = tuple(
        PlannedTask(id=TaskId(task), kind="review", old_start=1, new_start=1) for task in tasks
    )
    file = PlannedFile(path="a.py", old_path="a.py", old_blob="", new_blob="", tasks=rows)
    return plan(name, minute, pr).model_copy(update={"files": (file,)})


def looked(name: str, minute: float) -> BatchLookup:
    return BatchLookup(**head(minute), intent=IntentId(name), candidates=())


SENT: list[AnyEvent] = [intent("i1"), asked("i1", 0, "t1"), submitted("i1")]
AGAIN: list[AnyEvent] = [intent("i2", 20), asked("i2", 0, "t1", minute=20), submitted("i2", 21)]
# what happened to the only task of a plan → why it is asked again; None: it is not
CASES: dict[str, tuple[list[AnyEvent], str | None]] = {
    "never asked": ([], None),
    "under way": (SENT, None),
    "answered": ([*SENT, answered("i1")], None),
    "expired": ([*SENT, failed("i1", outcome=Outcome.EXPIRED)], "retry"),
    "unreadable": ([*SENT, failed("i1", outcome=Outcome.UNREADABLE)], "retry"),
    "overloaded": ([*SENT, failed("i1", outcome=Outcome.ERRORED)], "retry"),
    "invalid": ([*SENT, failed("i1", outcome=Outcome.ERRORED, retriable=False)], None),
    "refused": ([*SENT, failed("i1", outcome=Outcome.REFUSED)], "split"),
    "truncated": ([*SENT, failed("i1", outcome=Outcome.TRUNCATED)], "split"),
    "canceled": ([*SENT, failed("i1", outcome=Outcome.CANCELED)], None),
    "expired, then canceled": (
        [
            *SENT,
            failed("i1"),
            *AGAIN,
            failed("i2", minute=30, outcome=Outcome.CANCELED),
        ],
        None,
    ),
    "expired twice": ([*SENT, failed("i1"), *AGAIN, failed("i2", minute=30)], None),
    "expired, and asked again": ([*SENT, failed("i1"), *AGAIN], None),
    "lost": ([*SENT, status("i1", "lost")], "retry"),
    "lost twice": ([*SENT, status("i1", "lost"), *AGAIN, status("i2", "lost", 40)], None),
    "refused by the API": ([intent("i1"), asked("i1", 0, "t1"), voided("i1")], None),
    "never arrived": (
        [intent("i1"), asked("i1", 0, "t1"), looked("i1", 1), looked("i1", 41), voided("i1", 42)],
        "retry",
    ),
    "looked for while the API refused it": (
        [intent("i1"), asked("i1", 0, "t1"), looked("i1", 1), voided("i1", 2)],
        None,
    ),
    "freed by hand": (
        [*SENT, failed("i1"), *AGAIN, failed("i2", minute=25), forgotten("t1")],
        None,
    ),
    "folded": ([settled("i1", 0, "t1", outcome=Outcome.EXPIRED)], None),
    "folded beside its intent": (
        [intent("i1"), submitted("i1"), settled("i1", 0, "t1", outcome=Outcome.ERRORED)],
        None,
    ),
    "a second look": ([intent("i1"), asked("i1", 0, "t1", purpose="verify"), failed("i1")], None),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_asked_once_more(case: str) -> None:
    events, follows = CASES[case]
    found = due_resubmissions(LedgerState.from_events([planned("p1", "t1", "t2"), *events]), NOW)
    assert [(again.tasks, again.follows) for again in found] == (
        [({"t1"}, follows)] if follows else []
    )


def test_by_the_latest_plan_of_each() -> None:
    """What no longer stands in the pull request is not paid for again."""
    events: list[AnyEvent] = [
        intent("i1"),
        asked("i1", 0, "t1", "t2"),
        asked("i1", 1, "t3", "t4"),
        submitted("i1"),
        failed("i1", 0),
        failed("i1", 1, outcome=Outcome.REFUSED),
        planned("old", "t1", "t2"),
        planned("new", "t2", "t3", minute=5),
        planned("other", "t4", pr=8),
        planned("range", "t1", pr=None),
    ]
    found = {
        again.plan.id: (again.tasks, again.follows)
        for again in due_resubmissions(LedgerState.from_events(events), NOW)
    }
    assert found == {
        "new": ({"t2", "t3"}, "retry"),
        "other": ({"t4"}, "split"),
        "range": ({"t1"}, "retry"),
    }


@pytest.mark.parametrize(("minute", "again"), [(20, 0), (3, 1)])
def test_a_closed_pull_request_is_left_alone_until_it_is_submitted_anew(
    minute: float, again: int
) -> None:
    closed = PullRequestClosed(**head(minute), pr=7, merged=False)
    events = [planned("p1", "t1", minute=5), *SENT, failed("i1"), closed]
    assert len(due_resubmissions(LedgerState.from_events(events), NOW)) == again


def test_what_was_only_staged_waits_for_the_next_submit() -> None:
    staged = planned("p1", "t1", pr=None).model_copy(update={"head": None})
    assert due_resubmissions(LedgerState.from_events([staged, *SENT, failed("i1")]), NOW) == []
