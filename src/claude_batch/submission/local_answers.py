"""Answers of the local ledger for the tasks of pull requests.

A clone that has paid for a task on its own does not pay again when the task becomes part of a pull
request: the shared ledger takes the answer over.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches.batching import custom_id
from claude_batch.findings.finding import Finding, compute_finding_id
from claude_batch.ledger.batch_record import RequestKey, RequestRecord
from claude_batch.ledger.events import AnswerRecorded, Plan
from claude_batch.ledger.store import Ledger, Shard, Write
from claude_batch.ledger.transfer import copied_events
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.current_plans import current_plans
from claude_batch.waiting.settings import WaitingSettings
from claude_batch.waiting.task_states import TaskState, is_readable, read_plan

KNOWN = (TaskState.ANSWERED, TaskState.IN_FLIGHT)


@dataclass(frozen=True)
class LocalAnswers:
    """The local ledger of a clone, and the shared ledger that takes over its answers."""

    local: Ledger
    shared: Ledger
    settings: WaitingSettings
    now: Callable[[], datetime]
    keep_findings: bool = True  # False: the shared ledger gets ids, costs and states only

    def known_tasks(self, plans: Iterable[Plan]) -> frozenset[TaskId]:
        """The tasks of plans that are answered or in flight in the local ledger."""
        return self._tasks(self.local.view(), plans, KNOWN)

    def take_over(self, plans: Sequence[Plan]) -> int:
        """Copy the answers that the shared ledger lacks, and return their number.

        Raises CannotRecord.
        """
        local = self.local.view()
        answered = self._tasks(local, plans, [TaskState.ANSWERED])
        copied = 0

        def decide(shared: LedgerState) -> Write:
            nonlocal copied
            wanted = answered - self._tasks(shared, plans, [TaskState.ANSWERED])
            rows = self._complete_requests(local, wanted)
            events = tuple(copied_events(local, shared, rows.keys()))
            new = [event for event in events if isinstance(event, AnswerRecorded)]
            copied = len(new)
            return Write(events, self._shards(rows, new))

        if answered:
            self.shared.transact(decide)
        return copied

    def take_over_for_open_pull_requests(self) -> int:
        """Copy the answers for the plans of the shared ledger. Raises CannotRecord."""
        if not self.local.view().requests:
            return 0
        plans = current_plans(self.shared.view(), self.now())
        return self.take_over([plan for plan in plans if plan.pr is not None])

    def _tasks(
        self, state: LedgerState, plans: Iterable[Plan], states: Collection[TaskState]
    ) -> frozenset[TaskId]:
        if not state.requests:
            return frozenset()
        return frozenset(
            task
            for plan in plans
            for task, reading in read_plan(state, plan, self.settings, self.now()).items()
            if reading.state in states
        )

    def _complete_requests(
        self, state: LedgerState, tasks: Iterable[TaskId]
    ) -> dict[RequestKey, RequestRecord]:
        """The valid answers for tasks and the second looks at their findings.

        An answer whose second look is in flight is not among them, so that its second look is not
        paid for in both ledgers.
        """
        rows: dict[RequestKey, RequestRecord] = {}
        for task in tasks:
            for row in state.requests.of_task(task):
                looks = list(_second_looks(state, row))
                if self._is_valid(state, task, row) and all(look.answer for look in looks):
                    rows |= {_key(each): each for each in (row, *looks)}
        return rows

    def _is_valid(self, state: LedgerState, task: TaskId, row: RequestRecord) -> bool:
        answer = row.answer
        return (
            row.request.purpose != "verify"
            and answer is not None
            and answer.outcome is Outcome.SUCCEEDED
            and state.is_current(task, answer)
            and is_readable(state, answer, self.now())
        )

    def _shards(
        self, rows: dict[RequestKey, RequestRecord], answers: Sequence[AnswerRecorded]
    ) -> tuple[Shard, ...]:
        if not self.keep_findings:
            return ()
        keys = [(answer.intent, answer.n) for answer in answers if answer.findings]
        owners = {finding: key for key in keys for finding in _finding_ids(rows[key])}
        findings: dict[RequestKey, list[Finding]] = {}
        stored = [row.answer for row in map(rows.__getitem__, keys) if row.answer]
        for finding in self.local.findings(stored):
            findings.setdefault(owners[finding.id], []).append(finding)
        return tuple(Shard(*key, tuple(own)) for key, own in findings.items())


def _second_looks(state: LedgerState, row: RequestRecord) -> Iterator[RequestRecord]:
    """The second looks at findings of a request that were answered or may be."""
    findings = set(_finding_ids(row))
    for task in row.request.tasks if findings else ():
        for look in state.requests.of_task(task.id):
            counts = look.answer or look.is_open
            if look.request.purpose == "verify" and counts and findings & {*look.request.about}:
                yield look


def _finding_ids(row: RequestRecord) -> list[str]:
    request, count = row.request, row.answer.findings if row.answer else 0
    name = custom_id(request.intent, request.n, request.sha)
    return [compute_finding_id(name, index) for index in range(count)]


def _key(row: RequestRecord) -> RequestKey:
    return row.request.intent, row.request.n
