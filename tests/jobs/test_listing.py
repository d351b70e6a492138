import pytest

from claude_batch.jobs.derivation import derive_jobs
from claude_batch.jobs.job import Job, JobStatus
from claude_batch.jobs.listing import JobFilter, JobOrder, list_jobs
from claude_batch.jobs.wait import wait_exit_code
from claude_batch.ledger.view import LedgerState
from job_ledgers import SETTINGS, job_changed, planned, sent
from ledger_events import answered, at


@pytest.fixture
def jobs() -> list[Job]:
    events = [
        planned("plan-1", "t1", pr=1, priority=75, tags=("a", "b")),
        *sent("i1", "t1", pr=1),
        answered("i1"),
        planned("plan-2", "t2", pr=2, minute=2, tags=("b",)),
        planned("plan-3", "t3", pr=None, minute=3, priority=75),
        planned("plan-4", "t4", pr=4, minute=4, priority=0),
        job_changed("plan-4", "deleted", 5),
    ]
    return derive_jobs(LedgerState.from_events(events), SETTINGS, at(60))


@pytest.mark.parametrize(
    ("job_filter", "expected"),
    [
        (JobFilter(), ["plan-3", "plan-2", "plan-1"]),
        (JobFilter(with_deleted=True), ["plan-4", "plan-3", "plan-2", "plan-1"]),
        (JobFilter(statuses=frozenset({JobStatus.QUEUED})), ["plan-3", "plan-2"]),
        (JobFilter(statuses=frozenset({JobStatus.DELETED})), []),
        (JobFilter(tags=frozenset({"a", "c"})), ["plan-1"]),
        (JobFilter(kinds=frozenset({"review"})), ["plan-3", "plan-2", "plan-1"]),
        (JobFilter(kinds=frozenset({"docs"})), []),
        (JobFilter(sources=frozenset({"range"})), ["plan-3"]),
        (JobFilter(priorities=frozenset({75})), ["plan-3", "plan-1"]),
        (JobFilter(pull_requests=frozenset({1, 4})), ["plan-1"]),
        (JobFilter(priorities=frozenset({75}), tags=frozenset({"b"})), ["plan-1"]),
    ],
)
def test_a_filter(jobs: list[Job], job_filter: JobFilter, expected: list[str]) -> None:
    page = list_jobs(jobs, job_filter)
    assert [job.id for job in page.items] == expected
    assert page.total == len(expected)


def test_the_orders(jobs: list[Job]) -> None:
    def ids(order: JobOrder, *, is_reversed: bool = False) -> list[str]:
        page = list_jobs(jobs, JobFilter(with_deleted=True), order, is_reversed=is_reversed)
        return [job.id for job in page.items]

    assert ids(JobOrder.created) == ["plan-4", "plan-3", "plan-2", "plan-1"]
    assert ids(JobOrder.created, is_reversed=True) == ["plan-1", "plan-2", "plan-3", "plan-4"]
    assert ids(JobOrder.priority) == ["plan-3", "plan-1", "plan-2", "plan-4"]
    assert ids(JobOrder.status) == ["plan-4", "plan-3", "plan-2", "plan-1"]


def test_a_page(jobs: list[Job]) -> None:
    page = list_jobs(jobs, JobFilter(), limit=1, offset=1)
    assert [job.id for job in page.items] == ["plan-2"]
    assert (page.total, page.limit, page.offset) == (3, 1, 1)


def test_waiting_ends_with_the_job_or_at_the_deadline(jobs: list[Job]) -> None:
    completed, queued, _, deleted = jobs
    assert wait_exit_code(completed, at(10), at(20)) == 0
    assert wait_exit_code(deleted, None, at(20)) == 3
    assert wait_exit_code(queued, None, at(20)) is None
    assert wait_exit_code(queued, at(21), at(20)) is None
    assert wait_exit_code(queued, at(20), at(20)) == 124
