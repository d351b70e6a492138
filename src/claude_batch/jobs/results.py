"""`jobs results`: the answer to each task of a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from claude_batch.anthropic_api.results import Outcome, Usage
from claude_batch.batches.batching import custom_id
from claude_batch.jobs.job import Job
from claude_batch.jobs.request_index import RequestIndex
from claude_batch.ledger.batch_record import ZERO, RequestRecord
from claude_batch.ledger.events import AnswerRecorded
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.outcomes import FindingOutcomeRow, find_outcomes
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.task_states import TaskState

# The words of a job's progress, and `expired`.
STATUS_WORDS = {
    TaskState.ANSWERED: "completed",
    TaskState.IN_FLIGHT: "processing",
    TaskState.WAITING: "pending",
    TaskState.FAILED: "failed",
    TaskState.EXPIRED: "expired",
    TaskState.CANCELLED: "cancelled",
}


@dataclass(frozen=True)
class TaskResult:
    """`usage` is that of the whole request: tasks with the same `custom_id` share it."""

    id: TaskId
    custom_id: str | None  # None: nothing was sent, or the request is folded
    status: str
    findings: tuple[FindingOutcomeRow, ...]
    error: str | None
    usage: Usage | None
    usd: Decimal  # what this job paid for it, second looks included


@dataclass(frozen=True)
class JobResults:
    items: tuple[TaskResult, ...]

    @property
    def succeeded(self) -> int:
        return sum(item.status == "completed" for item in self.items)

    @property
    def failed(self) -> int:
        return sum(item.status in ("failed", "expired") for item in self.items)

    @property
    def total(self) -> int:
        return len(self.items)


def load_results(ledger: Ledger, state: LedgerState, job: Job) -> JobResults:
    """One item for each task, in the order of the plan."""
    records = {
        task: _decisive_record(state, task, reading.state is TaskState.ANSWERED)
        for task, reading in job.readings.items()
    }
    answers = {
        (record.answer.intent, record.answer.n): record.answer
        for record in records.values()
        if record and record.answer and record.answer.outcome is Outcome.SUCCEEDED
    }
    findings = _findings_by_task(ledger, state, list(answers.values()))
    usd = _usd_by_task(state, job)
    return JobResults(
        tuple(
            TaskResult(
                task,
                _custom_id(records[task]),
                STATUS_WORDS[reading.state],
                tuple(findings.get(task, ())) if reading.state is TaskState.ANSWERED else (),
                reading.problem or None,
                _usage(records[task]),
                usd.get(task, ZERO),
            )
            for task, reading in job.readings.items()
        )
    )


def _decisive_record(state: LedgerState, task: TaskId, is_answered: bool) -> RequestRecord | None:
    """The request with its newest answer, of an answered task its newest success; else the newest
    request."""
    records = [row for row in state.requests.of_task(task) if row.request.purpose != "verify"]
    if is_answered:
        records = [row for row in records if row.answer and row.answer.outcome is Outcome.SUCCEEDED]
    return max(
        records, key=lambda row: row.answer.at if row.answer else row.request.at, default=None
    )


def _findings_by_task(
    ledger: Ledger, state: LedgerState, answers: Sequence[AnswerRecorded]
) -> Mapping[TaskId, list[FindingOutcomeRow]]:
    rows: dict[TaskId, list[FindingOutcomeRow]] = {}
    for row in find_outcomes(state, ledger.findings(answers)):
        if row.finding.task is not None:
            rows.setdefault(row.finding.task, []).append(row)
    return rows


def _usd_by_task(state: LedgerState, job: Job) -> Mapping[TaskId, Decimal]:
    usd: dict[TaskId, Decimal] = {}
    for request in RequestIndex.from_state(state).own.get(job.id, []):
        for task in request.tasks:
            usd[task] = usd.get(task, ZERO) + request.usd_per_task
    return usd


def _custom_id(record: RequestRecord | None) -> str | None:
    if record is None or not record.request.sha:
        return None
    return custom_id(record.request.intent, record.request.n, record.request.sha)


def _usage(record: RequestRecord | None) -> Usage | None:
    return record.answer.usage if record and record.answer else None
