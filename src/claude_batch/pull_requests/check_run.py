"""The check run of a head: it never looks clean when it is not.

Without `fail_on` it is always completed and neutral, so it blocks no merge that nobody asked it to
block, and its title tells the truth.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from claude_batch.diff.exclusions import AUTHOR_MARKS
from claude_batch.diff.model import SkippedFile
from claude_batch.formatting import count
from claude_batch.ledger.events import Plan
from claude_batch.ledger.view import LedgerState, plan_key
from claude_batch.markdown import escape_line, truncate
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.task_states import TaskReading, TaskState, WaitingReason

# A batch ends within 24 hours, and one more run posts its answers.
LONGEST_WAIT = timedelta(hours=26)
MAX_TITLE = 250  # characters; GitHub takes 255
MAX_PROBLEM = 80


@dataclass(frozen=True, slots=True)
class ReviewCoverage:
    """The states of the tasks of one head, counted."""

    head: str
    answered: int
    reused: int = 0  # of those answered: paid for by other pull requests
    in_flight: int = 0
    waiting: int = 0
    reasons: tuple[str, ...] = ()  # of the waiting tasks, the most frequent first
    failed: int = 0
    unverified: int = 0  # findings whose second look is open
    left_out: tuple[SkippedFile, ...] = ()
    ends_at: datetime | None = None  # the latest end of what is in flight
    age: timedelta = timedelta()  # since the plan was recorded

    @property
    def tasks(self) -> int:
        return self.answered + self.in_flight + self.waiting + self.failed

    @property
    def pending(self) -> int:
        """Tasks and findings that are not finished, but will be."""
        return self.in_flight + self.waiting + self.unverified


def read_coverage(
    state: LedgerState,
    plan: Plan,
    readings: Mapping[TaskId, TaskReading],
    left_out: tuple[SkippedFile, ...],
    now: datetime,
) -> ReviewCoverage:
    """`readings` are those of `plan`, the latest of its pull request."""
    by_state: dict[TaskState, list[TaskId]] = {kind: [] for kind in TaskState}
    for task, reading in readings.items():
        by_state[reading.state].append(task)
    answered, in_flight = by_state[TaskState.ANSWERED], by_state[TaskState.IN_FLIGHT]
    gone = (TaskState.FAILED, TaskState.EXPIRED, TaskState.CANCELLED)
    own = {
        task
        for task in answered
        for row in state.requests.of_task(task)
        if row.request.pr == plan.pr
    }
    return ReviewCoverage(
        head=plan.head or "",
        answered=len(answered),
        reused=len(answered) - len(own),
        in_flight=len(in_flight),
        waiting=len(by_state[TaskState.WAITING]),
        reasons=_reasons([readings[task] for task in by_state[TaskState.WAITING]]),
        failed=sum(len(by_state[kind]) for kind in gone),
        left_out=left_out,
        ends_at=max(_ends(state, in_flight), default=None),
        age=now - state.first_planned.get(plan_key(plan), plan.at),
    )


def _reasons(readings: list[TaskReading]) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for reading in readings:
        text = str(reading.reason or WaitingReason.NEXT_RUN)
        if reading.problem and reading.reason is WaitingReason.REFUSED:
            text += f": {truncate(escape_line(reading.problem), MAX_PROBLEM)}"
        counts[text] = counts.get(text, 0) + 1
    return tuple(sorted(counts, key=lambda text: (-counts[text], text)))


def _ends(state: LedgerState, tasks: list[TaskId]) -> list[datetime]:
    return [
        submitted.expires_at
        for task in tasks
        for row in state.requests.of_task(task)
        if row.is_open
        and (record := state.batch_records.get(row.request.intent))
        and (submitted := record.submitted)
    ]


@dataclass(frozen=True, slots=True)
class CheckState:
    """The status, the conclusion and the title of a check run. The first row that holds decides."""

    status: Literal["queued", "in_progress", "completed"]
    conclusion: Literal["neutral", "failure"] | None  # None until it is completed
    title: str


def decide_check(
    coverage: ReviewCoverage, findings: int, *, fails: bool, may_fail: bool
) -> CheckState:
    """`fails`: a finding stands at or above `fail_on`; `may_fail`: there is a `fail_on`."""
    title = _title(coverage, findings)
    if not may_fail:
        return CheckState("completed", "neutral", title)
    if coverage.pending:
        if coverage.age >= LONGEST_WAIT:
            return CheckState("completed", "neutral", "Not reviewed in time")
        is_sent = coverage.in_flight or coverage.unverified
        return CheckState("in_progress" if is_sent else "queued", None, title)
    return CheckState("completed", "failure" if fails else "neutral", title)


def _title(coverage: ReviewCoverage, findings: int) -> str:
    if coverage.in_flight:
        by = f", by {_time(coverage.ends_at)}" if coverage.ends_at else ""
        return f"Review pending: {count(coverage.in_flight, 'task')}{by}"
    if coverage.waiting:
        reasons = " · ".join(coverage.reasons)
        title = f"Waiting: {count(coverage.waiting, 'task')} ({reasons}"
        return (title if len(title) < MAX_TITLE else title[: MAX_TITLE - 1] + "…") + ")"
    if coverage.failed:
        shown = f", {count(findings, 'finding')}" if findings else ""
        missing = f"{coverage.failed:,} of {count(coverage.tasks, 'task')} not reviewed"
        return f"Incomplete: {missing}{shown}"
    if coverage.unverified:
        shown = f"{count(findings, 'finding')}, " if findings else "Review pending: "
        return f"{shown}second look at {count(coverage.unverified, 'finding')}"
    if findings:
        return count(findings, "finding")
    if not coverage.tasks:
        files = f": {count(len(coverage.left_out), 'file')} left out" if coverage.left_out else ""
        return f"Nothing to review{files}"
    hidden = sum(file.reason.startswith(AUTHOR_MARKS) for file in coverage.left_out)
    files = f", {count(hidden, 'file')} left out" if hidden else ""
    return f"No findings in {count(coverage.tasks, 'task')}{files}"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M} UTC"
