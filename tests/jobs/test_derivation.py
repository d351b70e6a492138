from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_batch.anthropic_api.results import Outcome
from claude_batch.errors import BadUsage, ClaudeBatchError
from claude_batch.jobs.derivation import derive_jobs, find_job
from claude_batch.jobs.job import Job, JobProgress, JobStatus
from claude_batch.ledger.events import AnyEvent, Unsent
from claude_batch.ledger.view import LedgerState
from claude_batch.waiting.settings import FlushThresholds, WaitingSettings
from job_ledgers import SETTINGS, closed, held, job_changed, planned, sent
from ledger_events import (
    answered,
    at,
    failed,
    forgotten,
    head,
    settled,
    status,
    voided,
)


def jobs_of(*events: AnyEvent, minute: float = 60) -> dict[str, Job]:
    state = LedgerState.from_events(events)
    return {job.id: job for job in derive_jobs(state, SETTINGS, at(minute))}


def job_of(*events: AnyEvent, minute: float = 60) -> Job:
    (job,) = jobs_of(*events, minute=minute).values()
    return job


def test_a_completed_job() -> None:
    job = job_of(
        planned("plan-1", "t1", "t2", priority=75, tags=("nightly",)),
        *sent("i1", "t1", "t2"),
        answered("i1", minute=10),
    )
    assert (job.id, job.status, job.source) == ("plan-1", "completed", "pull_request")
    assert (job.kind, job.kinds, job.priority, job.tags) == (
        "review",
        ("review",),
        75,
        ("nightly",),
    )
    assert (job.pull_request, job.label) == (7, "pull request 7")
    assert job.progress == JobProgress(
        total=2, pending=0, processing=0, completed=2, failed=0, cancelled=0, percent=100
    )
    assert (job.created_at, job.started_at, job.completed_at) == (at(0), at(1), at(10))
    assert (job.expires_at, job.reused) == (None, 0)
    assert (job.usd, job.usd_standard) == (Decimal("0.02"), Decimal("0.04"))


def test_a_job_in_flight_expires_with_its_batch() -> None:
    job = job_of(
        planned("plan-1", "t1", "t2", "t3"), *sent("i1", "t1", "t2"), *sent("i2", "t3", minute=2)
    )
    assert job.status == "processing"
    assert job.progress == JobProgress(3, 0, 3, 0, 0, 0, 0)
    assert (job.started_at, job.completed_at, job.expires_at) == (at(1), None, at(1442))


def test_a_job_without_tasks_is_completed() -> None:
    job = job_of(planned("plan-1"))
    assert (job.status, job.progress) == ("completed", JobProgress(0, 0, 0, 0, 0, 0, 100))
    assert (job.started_at, job.completed_at) == (None, at(0))


def test_a_new_job_is_queued() -> None:
    job = job_of(planned("plan-1", "t1"))
    assert (job.status, job.progress) == ("queued", JobProgress(1, 1, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("changes", "events"),
    [
        ({"not_before": at(90)}, []),
        ({"lane": "later"}, []),
        ({}, [Unsent(**head(5), plan="plan-1", reason="budget", problem="", retry_at=at(90))]),
    ],
)
def test_a_job_whose_tasks_are_not_due_is_pending(
    changes: dict[str, object], events: list[AnyEvent]
) -> None:
    job = job_of(planned("plan-1", "t1", **changes), *events, minute=50)
    assert job.status == "pending"
    assert job.progress == JobProgress(1, 1, 0, 0, 0, 0, 0)


def test_the_second_failure_without_cost_is_followed_by_a_pause() -> None:
    events = [
        planned("plan-1", "t1"),
        *sent("i1", "t1"),
        failed("i1", minute=10),
        *sent("i2", "t1", minute=11),
        failed("i2", minute=20),
    ]
    assert job_of(*events, minute=34).status == "pending"
    assert job_of(*events, minute=35).status == "queued"


def test_lane_later_is_queued_once_a_threshold_is_reached() -> None:
    state = LedgerState.from_events([planned("plan-1", "t1", "t2", lane="later")])
    settings = WaitingSettings(frozenset(), frozenset(), "", FlushThresholds(count=2))
    (job,) = derive_jobs(state, settings, at(1))
    assert job.status == "queued"


@pytest.mark.parametrize("target", ["all", "kind:review", "plan-1"])
def test_a_hold_pauses_what_waits(target: str) -> None:
    waiting = planned("plan-1", "t1")
    assert job_of(waiting, held(target, 5)).status == "paused"
    assert job_of(waiting, held(target, 5), held(target, 6, on=False)).status == "queued"
    assert job_of(waiting, *sent("i1", "t1"), held(target, 5)).status == "processing"


def test_a_hold_on_another_job_or_kind_pauses_nothing() -> None:
    assert (
        job_of(planned("plan-1", "t1"), held("kind:docs", 5), held("plan-2", 5)).status == "queued"
    )


def test_a_job_fails_if_no_task_was_answered() -> None:
    refused = failed("i1", outcome=Outcome.ERRORED, retriable=False, error="bad request")
    job = job_of(planned("plan-1", "t1"), *sent("i1", "t1"), refused)
    assert (job.status, job.progress) == ("failed", JobProgress(1, 0, 0, 0, 1, 0, 100))
    assert job.completed_at == at(10)
    partly = job_of(
        planned("plan-1", "t1", "t2"),
        *sent("i1", "t1"),
        refused,
        *sent("i2", "t2", minute=2),
        answered("i2", minute=12),
    )
    assert (partly.status, partly.progress) == ("completed", JobProgress(2, 0, 0, 1, 1, 0, 100))


def test_a_task_without_an_answer_at_its_timeout_expires() -> None:
    job = job_of(planned("plan-1", "t1", deadline=at(30)))
    assert (job.status, job.progress) == ("expired", JobProgress(1, 0, 0, 0, 1, 0, 100))
    assert (job.expires_at, job.completed_at) == (at(30), at(30))
    assert job_of(planned("plan-1", "t1", deadline=at(61))).status == "queued"


def test_a_job_that_waited_for_two_weeks_expires() -> None:
    waiting = planned("plan-1", "t1")
    two_weeks = 14 * 24 * 60
    assert job_of(waiting, minute=two_weeks).status == "queued"
    assert job_of(waiting, minute=two_weeks + 1).status == "expired"
    reopened = job_changed("plan-1", "reopened", 60)
    assert job_of(waiting, reopened, minute=two_weeks + 1).status == "queued"


def test_a_cancelled_job() -> None:
    job = job_of(
        planned("plan-1", "t1", "t2"), *sent("i1", "t1"), job_changed("plan-1", "cancelled", 5)
    )
    assert (job.status, job.progress) == ("cancelled", JobProgress(2, 0, 1, 0, 0, 1, 50))
    assert job.completed_at is None
    ended = job_of(planned("plan-1", "t1"), job_changed("plan-1", "cancelled", 5))
    assert (ended.progress, ended.completed_at) == (JobProgress(1, 0, 0, 0, 0, 1, 100), at(5))


def test_a_job_whose_batch_was_cancelled_is_cancelled() -> None:
    job = job_of(planned("plan-1", "t1"), *sent("i1", "t1"), failed("i1", outcome=Outcome.CANCELED))
    assert (job.status, job.progress) == ("cancelled", JobProgress(1, 0, 0, 0, 0, 1, 100))


def test_a_closed_pull_request_cancels_what_waits_only() -> None:
    assert job_of(planned("plan-1", "t1"), closed(5)).status == "cancelled"
    done = [planned("plan-1", "t1"), *sent("i1", "t1"), answered("i1")]
    assert job_of(*done, closed(20)).status == "completed"


def test_deleted_comes_first() -> None:
    job = job_of(
        planned("plan-1", "t1"),
        job_changed("plan-1", "cancelled", 5),
        job_changed("plan-1", "deleted", 6),
        held("all", 7),
    )
    assert job.status == "deleted"


def test_a_re_opened_job_goes_on() -> None:
    job = job_of(
        planned("plan-1", "t1"),
        job_changed("plan-1", "cancelled", 5),
        job_changed("plan-1", "reopened", 6),
    )
    assert job.status == "queued"


def test_a_newer_plan_of_the_pull_request_supersedes() -> None:
    jobs = jobs_of(
        planned("plan-1", "t1", "t2"),
        *sent("i1", "t1"),
        answered("i1"),
        planned("plan-2", "t1", "t3", minute=20),
    )
    assert (jobs["plan-1"].status, jobs["plan-2"].status) == ("superseded", "queued")
    assert jobs["plan-1"].progress == JobProgress(2, 0, 0, 1, 0, 1, 100)
    assert jobs["plan-1"].completed_at == at(20)


def test_a_range_is_superseded_only_if_something_of_it_waits() -> None:
    jobs = jobs_of(
        planned("plan-1", "t1", pr=None),
        *sent("i1", "t1", pr=None),
        answered("i1"),
        planned("plan-2", "t2", minute=20, pr=None),
        planned("plan-3", "t3", minute=30, pr=None),
    )
    assert [job.status for job in jobs.values()] == ["completed", "superseded", "queued"]


def test_reused_answers_cost_nothing() -> None:
    jobs = jobs_of(
        planned("plan-1", "t1"),
        *sent("i1", "t1"),
        answered("i1"),
        planned("plan-2", "t1", "t2", minute=20, pr=8),
        *sent("i2", "t2", minute=21, pr=8),
        answered("i2", minute=30),
    )
    assert [(job.usd, job.reused) for job in jobs.values()] == [
        (Decimal("0.02"), 0),
        (Decimal("0.02"), 1),
    ]
    assert jobs["plan-2"].started_at == at(21)


def test_the_cost_of_a_shared_request_is_split_by_task() -> None:
    jobs = jobs_of(
        planned("plan-1", "t1", pr=None, label="a..b"),
        planned("plan-2", "t2", "t3", pr=None, minute=1, label="c..d"),
        *sent("i1", "t1", "t2", "t3", minute=2, pr=None),
        answered("i1"),
    )
    assert jobs["plan-1"].usd == Decimal("0.006666667")
    assert jobs["plan-2"].usd == Decimal("0.013333333")
    assert jobs["plan-2"].usd_standard == Decimal("0.026666667")


def test_a_task_that_is_asked_again_is_paid_by_the_later_job() -> None:
    jobs = jobs_of(
        planned("plan-1", "t1"),
        *sent("i1", "t1"),
        answered("i1"),
        forgotten("t1", minute=15),
        planned("plan-2", "t1", minute=20),
        *sent("i2", "t1", minute=21),
        answered("i2", minute=30),
    )
    assert [job.usd for job in jobs.values()] == [Decimal("0.02"), Decimal("0.02")]


def test_second_looks_are_paid_by_the_job_but_do_not_start_it() -> None:
    job = job_of(
        planned("plan-1", "t1"),
        *sent("i1", "t1", minute=2),
        answered("i1"),
        *sent("i2", "t1", minute=11, purpose="verify"),
        answered("i2", minute=12),
    )
    assert (job.usd, job.started_at, job.completed_at) == (Decimal("0.04"), at(2), at(10))


def test_a_folded_request_still_counts() -> None:
    job = job_of(planned("plan-1", "t1"), settled("i1", 0, "t1"))
    assert (job.status, job.usd, job.completed_at) == ("completed", Decimal("0.02"), at(10))


def test_a_job_is_found_by_a_unique_prefix() -> None:
    state = LedgerState.from_events([planned("abcdef01", "t1"), planned("abcdef02", "t2", pr=8)])
    assert find_job(state, "abcdef02", SETTINGS, at(1)).pull_request == 8
    with pytest.raises(BadUsage, match="'abcde' is too short"):
        find_job(state, "abcde", SETTINGS, at(1))
    with pytest.raises(BadUsage, match="2 jobs start with 'abcdef'"):
        find_job(state, "abcdef", SETTINGS, at(1))
    with pytest.raises(ClaudeBatchError, match="there is no job 'abcdef03'") as error:
        find_job(state, "abcdef03", SETTINGS, at(1))
    assert error.value.exit_code == 3


CHANGES = (
    *sent("i1", "t1", "t2"),
    answered("i1", minute=10),
    *sent("i2", "t3", minute=3),
    failed("i2", minute=11),
    voided("i2", minute=12),
    status("i1", "ended"),
    *sent("i3", "t4", minute=4),
    failed("i3", minute=12, outcome=Outcome.REFUSED, retriable=False),
    forgotten("t4", minute=40),
    held("all", 5),
    held("plan-1", 6),
    held("all", 50, on=False),
    job_changed("plan-1", "cancelled", 20),
    job_changed("plan-1", "reopened", 21),
    job_changed("plan-2", "deleted", 22),
    closed(70),
    Unsent(**head(8), plan="plan-2", reason="budget", problem="the budget", retry_at=at(500)),
)


@given(
    st.lists(st.sampled_from(CHANGES)),
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=20)),
    st.sampled_from([None, at(25)]),
    st.sampled_from(["batch", "later"]),
)
def test_the_parts_of_the_progress_sum_up(
    events: list[AnyEvent], age: timedelta, deadline: object, lane: str
) -> None:
    plans = [
        planned("plan-1", "t1", "t2", "t3", deadline=deadline),
        planned("plan-2", "t3", "t4", minute=2, lane=lane),
        planned("plan-3", "t1", pr=None, minute=2),
    ]
    jobs = derive_jobs(LedgerState.from_events([*plans, *events]), SETTINGS, at(2) + age)
    assert [job.id for job in jobs] == ["plan-1", "plan-2", "plan-3"]
    for job in jobs:
        progress = job.progress
        ended = progress.completed + progress.failed + progress.cancelled
        assert progress.pending + progress.processing + ended == progress.total
        assert progress.percent == 100 * ended // progress.total
        assert isinstance(job.status, JobStatus)
        assert (job.completed_at is None) == (progress.percent < 100)
        if job.status in ("completed", "failed", "expired"):
            assert progress.percent == 100
