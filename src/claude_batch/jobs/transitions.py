"""`jobs cancel`, `retry`, `pause`, `resume` and `delete`.

A change is recorded first, and takes effect at the API after that. If the program is stopped in
between, the same command finishes the work.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.models import BatchId
from claude_batch.batches.cancel import CanceledBatches, cancel_records
from claude_batch.errors import BadUsage, ClaudeBatchError
from claude_batch.jobs.derivation import find_job, find_plan, unknown_job
from claude_batch.jobs.job import ACTIVE, Job, JobStatus
from claude_batch.ledger import events
from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.events import AnyEvent, BatchStatus, Held, JobChanged, Stamp, TasksReset
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.current_plans import is_closed
from claude_batch.waiting.holds import ALL, kind_target
from claude_batch.waiting.settings import WaitingSettings
from claude_batch.waiting.task_states import TaskState
from claude_batch.waiting.unneeded_batches import (
    deletable_batches,
    unanswered_tasks,
    unneeded_batches,
)

RETRIABLE = (TaskState.FAILED, TaskState.EXPIRED, TaskState.CANCELLED)


@dataclass(frozen=True)
class JobChangeResult:
    job: Job  # after the change
    batches: CanceledBatches


def locate_job(ledgers: Sequence[Ledger], prefix: str) -> tuple[Ledger, str]:
    """The ledger with the job, and its whole id. Raises BadUsage or ClaudeBatchError."""
    plans = [(ledger, find_plan(ledger.view(), prefix)) for ledger in ledgers]
    found = {plan.id: ledger for ledger, plan in plans if plan}
    if not found:
        raise unknown_job(prefix)
    if len(found) > 1:
        raise BadUsage(f"{len(found)} jobs start with {prefix!r}", "give more of the id")
    (job_id, ledger), *_ = found.items()
    return ledger, job_id


@dataclass(frozen=True)
class JobManager:
    ledgers: Sequence[Ledger]
    settings: WaitingSettings
    stamp: Stamp

    # Cancel, delete

    def cancel(self, prefix: str, anthropic: AnthropicClient) -> JobChangeResult:
        """Waiting tasks leave at once. Batches that no other job needs are cancelled."""
        ledger, job_id = locate_job(self.ledgers, prefix)

        def decide(state: LedgerState, job: Job) -> tuple[AnyEvent, ...]:
            if job.status is JobStatus.CANCELLED and self._unneeded(state, job):
                return ()  # an earlier `cancel` was stopped
            _check(job, job.status in ACTIVE, "cancelled")
            return (self._change(state, job, "cancelled"),)

        return self._end(ledger, job_id, decide, anthropic)

    def delete(self, prefix: str, anthropic: AnthropicClient) -> JobChangeResult:
        """Cancel it and leave it out of lists. `delete_ended_batches` does the rest later."""
        ledger, job_id = locate_job(self.ledgers, prefix)

        def decide(state: LedgerState, job: Job) -> tuple[AnyEvent, ...]:
            is_unfinished = self._unneeded(state, job) or deletable_batches(state)
            if job.status is JobStatus.DELETED and is_unfinished:
                return ()
            _check(job, job.status is not JobStatus.DELETED, "deleted")
            return (self._change(state, job, "deleted"),)

        return self._end(ledger, job_id, decide, anthropic)

    def _end(
        self,
        ledger: Ledger,
        job_id: str,
        decide: Callable[[LedgerState, Job], tuple[AnyEvent, ...]],
        anthropic: AnthropicClient,
    ) -> JobChangeResult:
        state = ledger.transact(lambda state: Write(decide(state, self._find(state, job_id))))
        records = self._unneeded(state, self._find(state, job_id))
        unneeded = [record.submitted for record in records if record.submitted]
        run, now = self.stamp.run, self.stamp.now
        batches = cancel_records(ledger, anthropic, unneeded, run, now) if unneeded else []
        return JobChangeResult(self._find(ledger.view(), job_id), batches)

    def _unneeded(self, state: LedgerState, job: Job) -> list[BatchRecord]:
        return [
            record
            for record in unneeded_batches(state, self.stamp.now())
            if not unanswered_tasks(record).isdisjoint(job.readings)
        ]

    # Retry

    def retry(self, prefix: str) -> JobChangeResult:
        """Re-open the job, and reset its tasks that failed or were cancelled."""
        ledger, job_id = locate_job(self.ledgers, prefix)

        def decide(state: LedgerState) -> Write:
            job = self._find(state, job_id)
            if is_closed(state, job.plan):
                raise ClaudeBatchError(
                    f"job {job.id} is {job.status} and its pull request is closed, "
                    "so it cannot be retried",
                    "reopen the pull request",
                )
            tasks = tuple(
                task for task, reading in job.readings.items() if reading.state in RETRIABLE
            )
            is_final = job.status in (JobStatus.DELETED, JobStatus.SUPERSEDED)
            is_legal = not is_final and (tasks or job.status is JobStatus.CANCELLED)
            _check(job, bool(is_legal), "retried")
            reopened = self._change(state, job, "reopened")
            return Write((reopened, self._reset(state, tasks)) if tasks else (reopened,))

        return JobChangeResult(self._find(ledger.transact(decide), job_id), [])

    def _reset(self, state: LedgerState, tasks: tuple[TaskId, ...]) -> TasksReset:
        answers = (row.answer for task in tasks for row in state.requests.of_task(task))
        times = (answer.at for answer in answers if answer)
        at = events.next_timestamp(times, self.stamp.now())
        return self.stamp.event(TasksReset, at=at, tasks=tasks, reason="retry")

    # Holds

    def pause(self, prefix: str, by: str = "") -> JobChangeResult:
        """Hold its waiting tasks. What is in flight goes on."""

        def check(state: LedgerState, job: Job) -> None:
            _check(job, job.status in ACTIVE and job.id not in state.holds, "paused")

        return self._hold_job(prefix, check, is_on=True, by=by)

    def resume(self, prefix: str, by: str = "") -> JobChangeResult:
        """End the hold on this job. A hold on its kind or on all jobs stays."""

        def check(state: LedgerState, job: Job) -> None:
            targets = [ALL, *map(kind_target, job.kinds)]
            holder = next((target for target in targets if target in state.holds), None)
            if holder and job.id not in state.holds and job.status is JobStatus.PAUSED:
                flag = "--all" if holder == ALL else f"--kind {holder.removeprefix('kind:')}"
                raise ClaudeBatchError(
                    f"job {job.id} is paused by a hold on more jobs, so it cannot be resumed alone",
                    f"run `claude-batch jobs resume {flag}`",
                )
            _check(job, job.id in state.holds, "resumed")

        return self._hold_job(prefix, check, is_on=False, by=by)

    def _hold_job(
        self,
        prefix: str,
        check: Callable[[LedgerState, Job], None],
        *,
        is_on: bool,
        by: str,
    ) -> JobChangeResult:
        ledger, job_id = locate_job(self.ledgers, prefix)

        def decide(state: LedgerState) -> Write:
            check(state, self._find(state, job_id))
            return Write((self._held(state, job_id, is_on, by),))

        return JobChangeResult(self._find(ledger.transact(decide), job_id), [])

    def hold(self, target: str, *, is_on: bool, by: str = "") -> bool:
        """Hold a kind or everything in each ledger, or end that. False: it was so already."""
        has_changed = False

        def decide(state: LedgerState) -> Write:
            nonlocal has_changed
            if (target in state.holds) == is_on:
                return Write()
            has_changed = True
            return Write((self._held(state, target, is_on, by),))

        for ledger in self.ledgers:
            ledger.transact(decide)
        return has_changed

    def _held(self, state: LedgerState, target: str, is_on: bool, by: str) -> Held:
        known = (held.at for held in state.hold_history if held.target == target)
        at = events.next_timestamp(known, self.stamp.now())
        return self.stamp.event(Held, at=at, target=target, on=is_on, by=by)

    # Shared

    def _find(self, state: LedgerState, job_id: str) -> Job:
        return find_job(state, job_id, self.settings, self.stamp.now())

    def _change(self, state: LedgerState, job: Job, action: str) -> JobChanged:
        known = (job.created_at, *(c.at for c in state.job_changes.get(job.id, [])))
        at = events.next_timestamp(known, self.stamp.now())
        return self.stamp.event(JobChanged, at=at, id=job.id, action=action)


def delete_ended_batches(ledger: Ledger, anthropic: AnthropicClient, stamp: Stamp) -> list[BatchId]:
    """Delete the results of deleted jobs at the API. Their costs stay in the ledger."""
    deleted: list[BatchId] = []
    for record in deletable_batches(ledger.view()):
        if record.submitted:
            anthropic.delete_batch(record.submitted.batch)
            deleted.append(record.submitted.batch)
    if deleted:
        statuses = [stamp.event(BatchStatus, batch=b, status="deleted") for b in deleted]
        ledger.transact(lambda state: Write(tuple(statuses)))
    return deleted


def _check(job: Job, is_legal: bool, participle: str) -> None:
    if not is_legal:
        raise ClaudeBatchError(
            f"job {job.id} is {job.status}, so it cannot be {participle}",
            f"see `claude-batch jobs show {job.id}`",
        )
