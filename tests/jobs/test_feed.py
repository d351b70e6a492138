from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from claude_batch.anthropic_api.results import Outcome
from claude_batch.cli.output.jobs_result import event_document
from claude_batch.cli.output.json_writer import write_json
from claude_batch.jobs.derivation import derive_jobs
from claude_batch.jobs.feed import job_events
from claude_batch.jobs.job import JobProgress, JobStatus
from claude_batch.ledger.events import AnyEvent, Post, Unsent
from claude_batch.ledger.view import LedgerState
from job_ledgers import SETTINGS, closed, held, job_changed, planned, sent
from ledger_events import (
    answered,
    asked,
    at,
    failed,
    forgotten,
    head,
    intent,
    settled,
    submitted,
    voided,
)


def feed(*events: AnyEvent, minute: float = 60) -> list[str]:
    """`minute type status ended/total` of each event."""
    lines = []
    for event in job_events(LedgerState.from_events(events), at(minute)):
        progress, minutes = event.data.progress, (event.timestamp - at(0)).total_seconds() / 60
        ended = progress.completed + progress.failed + progress.cancelled
        lines.append(f"{minutes:g} {event.type} {event.data.status} {ended}/{progress.total}")
    return lines


def test_the_life_of_a_job() -> None:
    assert feed(
        planned("plan-1", "t1", "t2"),
        *sent("i1", "t1", minute=1),
        *sent("i2", "t2", minute=2),
        answered("i1", minute=10),
        answered("i2", minute=20),
        Post(
            **head(21),
            pr=7,
            what="check",
            key="check",
            remote_id=1,
            sha="0",
            head="c" * 40,
        ),
    ) == [
        "0 job.created queued 0/2",
        "1 job.status_changed processing 0/2",
        "10 job.progress processing 1/2",
        "20 job.progress completed 2/2",
        "20 job.status_changed completed 2/2",
        "20 job.completed completed 2/2",
        "21 review.published completed 2/2",
    ]


def test_the_answers_that_one_run_recorded_for_a_batch_are_one_step() -> None:
    assert feed(
        planned("plan-1", "t1", "t2", "t3"),
        intent("i1", 1, 3),
        submitted("i1", 1),
        *(asked("i1", n, f"t{n + 1}", minute=1) for n in range(3)),
        answered("i1", 0, minute=10),
        answered("i1", 1, minute=11),
        answered("i1", 2, minute=20).model_copy(update={"run": "run-2"}),
    ) == [
        "0 job.created queued 0/3",
        "1 job.status_changed processing 0/3",
        "11 job.progress processing 2/3",
        "20 job.progress completed 3/3",
        "20 job.status_changed completed 3/3",
        "20 job.completed completed 3/3",
    ]


def test_the_body_of_an_event() -> None:
    state = LedgerState.from_events([planned("plan-1", "t1"), *sent("i1", "t1"), answered("i1")])
    *_, last = job_events(state, at(60), "https://git.example")
    assert write_json(event_document(last)) == (
        """\
{
  "type": "job.completed",
  "timestamp": "2026-11-22T10:10:00Z",
  "data": {
    "repository": "octo/demo",
    "job": "plan-1",
    "status": "completed",
    "progress": {
      "total": 1,
      "pending": 0,
      "processing": 0,
      "completed": 1,
      "failed": 0,
      "cancelled": 0,
      "percent": 100
    },
    "usd": 0.02,
    "pull_request": 7,
    "url": "https://git.example/octo/demo/pull/7"
  }
}"""
    )


def test_a_reused_answer_completes_a_job_at_once() -> None:
    assert feed(
        planned("plan-1", "t1", pr=1),
        *sent("i1", "t1", pr=1),
        answered("i1"),
        planned("plan-2", "t1", pr=2, minute=20),
    )[-2:] == ["20 job.created completed 1/1", "20 job.completed completed 1/1"]


def test_cancelling_waits_for_what_is_in_flight() -> None:
    assert feed(
        planned("plan-1", "t1", "t2"),
        *sent("i1", "t1"),
        job_changed("plan-1", "cancelled", 5),
        failed("i1", minute=9, outcome=Outcome.CANCELED),
    ) == [
        "0 job.created queued 0/2",
        "1 job.status_changed processing 0/2",
        "5 job.cancel_requested cancelled 1/2",
        "5 job.progress cancelled 1/2",
        "5 job.status_changed cancelled 1/2",
        "9 job.progress cancelled 2/2",
        "9 job.cancelled cancelled 2/2",
    ]


def test_a_job_that_failed_and_was_retried() -> None:
    refused = {"outcome": Outcome.ERRORED, "retriable": False}
    assert feed(
        planned("plan-1", "t1"),
        *sent("i1", "t1"),
        failed("i1", minute=10, **refused),
        forgotten("t1", minute=30),
        job_changed("plan-1", "reopened", 30),
        *sent("i2", "t1", minute=31),
        answered("i2", minute=40),
    ) == [
        "0 job.created queued 0/1",
        "1 job.status_changed processing 0/1",
        "10 job.progress failed 1/1",
        "10 job.status_changed failed 1/1",
        "10 job.failed failed 1/1",
        "30 job.progress queued 0/1",
        "30 job.status_changed queued 0/1",
        "31 job.status_changed processing 0/1",
        "40 job.progress completed 1/1",
        "40 job.status_changed completed 1/1",
        "40 job.completed completed 1/1",
    ]


def test_a_pause_and_its_end() -> None:
    assert feed(
        planned("plan-1", "t1"),
        held("all", 5),
        held("kind:review", 6),
        held("all", 7, on=False),
        held("kind:review", 8, on=False),
    ) == [
        "0 job.created queued 0/1",
        "5 job.status_changed paused 0/1",
        "5 job.paused paused 0/1",
        "8 job.status_changed queued 0/1",
        "8 job.resumed queued 0/1",
    ]


def test_a_budget_is_reached_once_until_something_is_sent() -> None:
    def refused(minute: float) -> Unsent:
        return Unsent(**head(minute), plan="plan-1", reason="budget", problem="the budget")

    assert feed(
        planned("plan-1", "t1", "t2"),
        refused(5),
        refused(6),
        *sent("i1", "t1", minute=7),
        refused(8),
    ) == [
        "0 job.created queued 0/2",
        "5 job.status_changed pending 0/2",
        "5 budget.reached pending 0/2",
        "7 job.status_changed processing 0/2",
        "8 budget.reached processing 0/2",
    ]


def test_superseded_closed_deleted_and_expired_jobs() -> None:
    assert feed(planned("plan-1", "t1"), planned("plan-2", "t2", minute=9))[1:] == [
        "9 job.progress superseded 1/1",
        "9 job.status_changed superseded 1/1",
        "9 job.created queued 0/1",
    ]
    assert feed(planned("plan-1", "t1"), closed(9))[1:] == [
        "9 job.progress cancelled 1/1",
        "9 job.status_changed cancelled 1/1",
        "9 job.cancelled cancelled 1/1",
    ]
    assert feed(planned("plan-1", "t1"), job_changed("plan-1", "deleted", 9))[1:] == [
        "9 job.progress deleted 1/1",
        "9 job.status_changed deleted 1/1",
        "9 job.deleted deleted 1/1",
    ]
    expiring = planned("plan-1", "t1", deadline=at(9))
    assert feed(expiring, minute=8) == ["0 job.created queued 0/1"]
    assert feed(expiring, minute=9)[1:] == [
        "9 job.progress expired 1/1",
        "9 job.status_changed expired 1/1",
        "9 job.expired expired 1/1",
    ]


def test_a_job_for_later_is_queued_when_its_time_comes() -> None:
    assert feed(planned("plan-1", "t1", not_before=at(30))) == [
        "0 job.created pending 0/1",
        "30 job.status_changed queued 0/1",
    ]


def test_the_order_of_the_ledger_does_not_matter() -> None:
    events = [planned("plan-1", "t1"), *sent("i1", "t1"), answered("i1"), held("all", 5)]
    assert feed(*events) == feed(*reversed(events))


def test_a_folded_request_keeps_the_end() -> None:
    assert feed(planned("plan-1", "t1"), settled("i1", 0, "t1"))[-1] == (
        "10 job.completed completed 1/1"
    )


def _ended_tasks(progress: JobProgress) -> tuple[int, int, int, int]:
    return progress.total, progress.completed, progress.failed, progress.cancelled


CHANGES = (
    *sent("i1", "t1", "t2"),
    answered("i1", minute=10),
    *sent("i2", "t3", minute=3),
    failed("i2", minute=11),
    *sent("i3", "t4", minute=4),
    failed("i3", minute=12, outcome=Outcome.REFUSED, retriable=False),
    *sent("i4", "t3", minute=13),
    voided("i4", minute=14),
    forgotten("t4", minute=40),
    held("all", 5),
    held("plan-1", 6),
    held("all", 50, on=False),
    job_changed("plan-1", "cancelled", 20),
    job_changed("plan-1", "reopened", 21),
    job_changed("plan-2", "deleted", 22),
    closed(55),
)


@given(
    st.lists(st.sampled_from(CHANGES)),
    st.timedeltas(min_value=timedelta(minutes=56), max_value=timedelta(days=20)),
    st.sampled_from([None, at(25)]),
)
def test_the_last_event_of_a_job_has_its_present_status(
    changes: list[AnyEvent], age: timedelta, deadline: object
) -> None:
    plans = [
        planned("plan-1", "t1", "t2", "t3", deadline=deadline),
        planned("plan-2", "t3", "t4", minute=2, pr=8),
        planned("plan-3", "t1", pr=None, minute=2),
    ]
    state = LedgerState.from_events([*plans, *changes])
    last = {event.data.job: event.data for event in job_events(state, at(0) + age)}
    for job in derive_jobs(state, SETTINGS, at(0) + age):
        status = last[job.id].status
        is_due = {JobStatus.QUEUED, JobStatus.PENDING}  # a pause after a failure has no event
        assert status == job.status or {status, job.status} == is_due
        # What is in flight may change without an event.
        assert _ended_tasks(last[job.id].progress) == _ended_tasks(job.progress)
