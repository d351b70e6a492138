from collections.abc import Iterator

import pytest

from claude_batch.errors import CannotCollect, ClaudeBatchError
from claude_batch.jobs.derivation import derive_jobs
from claude_batch.jobs.job import Job, JobProgress
from claude_batch.jobs.transitions import JobManager, delete_ended_batches
from claude_batch.ledger.events import JobChanged, Stamp
from claude_batch.ledger.store import Write
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.sandbox.http_messages import Fault, HttpRequest
from claude_batch.waiting.holds import ALL, kind_target
from claude_batch.waiting.settings import WaitingSettings
from rig import REPO, Reviewer, Rig, open_rig
from scratch import Work


@pytest.fixture
def rig(work: Work) -> Iterator[Rig]:
    with open_rig(work.path, seconds=600) as made:
        yield made


def manager_of(rig: Rig) -> JobManager:
    settings = WaitingSettings.from_config(rig.config)
    return JobManager([rig.ledger], settings, Stamp("run-1", REPO, rig.clock))


def submit(rig: Rig, *paths: str, pr: int = 7) -> str:
    """The id of the job."""
    rig.submit(rig.given(*({"path": path, "text": path} for path in paths), pr=pr))
    return rig.view.plans[-1].id


def jobs(rig: Rig) -> dict[str, Job]:
    found = derive_jobs(rig.view, WaitingSettings.from_config(rig.config), rig.clock.at)
    return {job.id: job for job in found}


def refusal(call: object, *arguments: object) -> str:
    with pytest.raises(ClaudeBatchError) as error:
        call(*arguments)  # type: ignore[operator]
    assert error.value.exit_code == 3
    return error.value.problem


def paths(rig: Rig, method: str) -> list[str]:
    return [row.path for row in rig.server.log if row.method == method]


def test_cancel_cancels_the_batch(rig: Rig) -> None:
    job = submit(rig, "a.py")
    result = manager_of(rig).cancel(job, rig.claude)
    assert (result.job.status, [status for _, status in result.batches]) == (
        "cancelled",
        ["canceling"],
    )
    rig.clock.forward(seconds=600)
    rig.collect()
    assert jobs(rig)[job].progress == JobProgress(1, 0, 0, 0, 0, 1, 100)


def test_cancel_leaves_a_batch_that_another_job_needs(rig: Rig) -> None:
    first, second = submit(rig, "a.py", pr=7), submit(rig, "a.py", pr=8)
    manager = manager_of(rig)
    assert manager.cancel(first, rig.claude).batches == []
    assert jobs(rig)[second].status == "processing"
    (batch,) = manager.cancel(second, rig.claude).batches
    assert batch[1] == "canceling"


def test_cancel_again_finishes_what_was_stopped(rig: Rig) -> None:
    job = submit(rig, "a.py")
    manager = manager_of(rig)
    change = manager.stamp.event(JobChanged, id=job, action="cancelled")
    rig.ledger.transact(lambda state: Write((change,)))
    assert [status for _, status in manager.cancel(job, rig.claude).batches] == ["canceling"]
    assert refusal(manager.cancel, job, rig.claude) == (
        f"job {job} is cancelled, so it cannot be cancelled"
    )


def test_a_cancel_that_the_api_refuses_is_recorded_all_the_same(work: Work) -> None:
    def refuse(call: HttpRequest) -> Fault | None:
        return Fault(status=403) if call.path.endswith("/cancel") else None

    with open_rig(work.path, seconds=600, faults=refuse) as rig:
        job = submit(rig, "a.py")
        with pytest.raises(CannotCollect):
            manager_of(rig).cancel(job, rig.claude)
        assert jobs(rig)[job].status == "cancelled"


def test_illegal_transitions_name_the_present_state(rig: Rig) -> None:
    job = submit(rig, "a.py")
    manager = manager_of(rig)
    assert refusal(manager.retry, job) == f"job {job} is processing, so it cannot be retried"
    assert refusal(manager.resume, job) == f"job {job} is processing, so it cannot be resumed"
    rig.clock.forward(seconds=600)
    rig.collect()
    tip = rig.ledger.tip()
    assert refusal(manager.cancel, job, rig.claude) == (
        f"job {job} is completed, so it cannot be cancelled"
    )
    assert refusal(manager.pause, job) == f"job {job} is completed, so it cannot be paused"
    assert refusal(manager.retry, job) == f"job {job} is completed, so it cannot be retried"
    unknown = "f" * 16
    assert refusal(manager.retry, unknown) == f"there is no job {unknown!r}"
    assert rig.ledger.tip() == tip


def test_retry_re_opens_a_failed_job(work: Work) -> None:
    bad = ModelReply(result="errored", error=("invalid_request_error", "no"))
    reviewer = Reviewer({"a.py": bad})
    with open_rig(work.path, reviewer=reviewer) as rig:
        job = submit(rig, "a.py")
        rig.collect()
        assert jobs(rig)[job].status == "failed"
        result = manager_of(rig).retry(job)
        assert (result.job.id, result.job.status) == (job, "queued")
        reviewer.replies.clear()
        assert submit(rig, "a.py") == job
        rig.collect()
        assert jobs(rig)[job].status == "completed"


def test_retry_re_opens_a_cancelled_job(rig: Rig) -> None:
    job = submit(rig, "a.py")
    manager = manager_of(rig)
    manager.cancel(job, rig.claude)
    rig.clock.forward(seconds=600)
    rig.collect()
    assert manager.retry(job).job.status == "queued"


def test_pause_and_resume_one_job(rig: Rig) -> None:
    job = submit(rig, "a.py")
    manager = manager_of(rig)
    assert manager.pause(job).job.status == "processing", "what is in flight goes on"
    assert refusal(manager.pause, job) == f"job {job} is processing, so it cannot be paused"
    assert job in rig.view.holds
    manager.resume(job)
    assert rig.view.holds == {}


def test_a_hold_on_everything_and_its_end(work: Work) -> None:
    def refuse(call: HttpRequest) -> Fault | None:
        return Fault(status=429) if call.method == "POST" else None

    with open_rig(work.path, faults=refuse) as rig:
        with pytest.raises(ClaudeBatchError):
            submit(rig, "a.py")
        (job,) = jobs(rig)
        manager = manager_of(rig)
        assert manager.hold(ALL, is_on=True) is True
        assert manager.hold(ALL, is_on=True) is False
        assert jobs(rig)[job].status == "paused"
        assert refusal(manager.resume, job) == (
            f"job {job} is paused by a hold on more jobs, so it cannot be resumed alone"
        )
        assert manager.hold(kind_target("review"), is_on=True) is True
        assert manager.hold(ALL, is_on=False) is True
        assert jobs(rig)[job].status == "paused"
        manager.hold(kind_target("review"), is_on=False)
        assert jobs(rig)[job].status == "pending", "the API refused it a moment ago"
        rig.clock.forward(minutes=15)
        assert jobs(rig)[job].status == "queued"


def test_delete_removes_the_batch_once_nobody_needs_it(rig: Rig) -> None:
    first, second = submit(rig, "a.py", pr=7), submit(rig, "a.py", pr=8)
    manager = manager_of(rig)
    rig.clock.forward(seconds=600)
    rig.collect()
    assert manager.delete(first, rig.claude).job.status == "deleted"
    assert delete_ended_batches(rig.ledger, rig.claude, manager.stamp) == []
    paid = jobs(rig)[first].usd
    manager.delete(second, rig.claude)
    (batch,) = delete_ended_batches(rig.ledger, rig.claude, manager.stamp)
    assert paths(rig, "DELETE") == [f"/v1/messages/batches/{batch}"]
    assert delete_ended_batches(rig.ledger, rig.claude, manager.stamp) == []
    assert (jobs(rig)[first].usd, rig.view.spent(rig.clock.at.replace(day=1))) == (paid, paid)
    assert refusal(manager.delete, first, rig.claude) == (
        f"job {first} is deleted, so it cannot be deleted"
    )


def test_delete_of_a_job_in_flight_cancels_first(rig: Rig) -> None:
    job = submit(rig, "a.py")
    manager = manager_of(rig)
    assert [status for _, status in manager.delete(job, rig.claude).batches] == ["canceling"]
    assert delete_ended_batches(rig.ledger, rig.claude, manager.stamp) == []
    rig.clock.forward(seconds=600)
    rig.collect()
    assert len(delete_ended_batches(rig.ledger, rig.claude, manager.stamp)) == 1
