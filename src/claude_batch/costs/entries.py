"""Cost entries, which reports add up: answered requests, and reused tasks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from claude_batch.ledger.batch_record import BatchRecord, RequestKey
from claude_batch.ledger.events import (
    AnswerRecorded,
    FoldedRequest,
    Plan,
    RequestRecorded,
    is_unpriced,
)
from claude_batch.ledger.view import LedgerState, plans_counted_once
from claude_batch.tasks.task import TaskId

SHARE_STEP = Decimal("1e-9")  # the share of one of three tasks has no last digit


@dataclass(frozen=True, slots=True)
class CostKey:
    """The properties by which reports group entries."""

    at: datetime
    repo: str
    pr: int | None
    kind: str
    model: str


@dataclass(frozen=True, slots=True)
class CostEntry:
    request: RequestRecorded
    answer: AnswerRecorded | FoldedRequest
    in_batch: bool
    wait: timedelta | None  # from the batch's creation to the answer's record; None: unknown

    @property
    def key(self) -> CostKey:
        model = self.answer.model or self.request.model
        return CostKey(self.answer.at, self.request.repo, self.request.pr, self.request.kind, model)

    @property
    def is_unpriced(self) -> bool:
        """True if the answer may have been billed at an unknown price."""
        return is_unpriced(self.answer)


@dataclass(frozen=True, slots=True)
class ReusedTask:
    """A submitted task that an earlier answer covers, and its share of that answer's cost."""

    key: CostKey
    usd: Decimal


def sum_paid(entries: Iterable[CostEntry]) -> Decimal:
    return sum((entry.answer.usd or Decimal(0) for entry in entries), Decimal(0))


def sum_estimated(entries: Iterable[CostEntry]) -> Decimal:
    """Add up the estimates at the time of submit."""
    return sum((entry.request.estimate.usd for entry in entries), Decimal(0))


def percent_above(usd: Decimal, base: Decimal | None) -> int | None:
    """The difference in percent of `base`; None without a base."""
    if not base:
        return None
    return int(((usd - base) / base * 100).quantize(Decimal(1), ROUND_HALF_UP))


def list_cost_entries(states: Iterable[LedgerState]) -> list[CostEntry]:
    """The entries of several ledgers. A request that is in two of them has one entry."""
    entries: dict[RequestKey, CostEntry] = {}
    for entry in (entry for state in states for entry in _entries(state)):
        entries.setdefault((entry.request.intent, entry.request.n), entry)
    return list(entries.values())


def _entries(state: LedgerState) -> Iterator[CostEntry]:
    for batch in state.batch_records.values():
        in_batch = batch.intent.lane == "batch"
        for number, request in batch.requests.items():
            if answer := batch.answers.get(number):
                is_standard = answer.usage is not None and answer.usage.service_tier == "standard"
                has_discount = in_batch and not is_standard
                yield CostEntry(request, answer, has_discount, _wait(batch, answer))
    for folded in state.folded_requests.values():
        # Compaction keeps one time per request, so the wait is unknown.
        yield CostEntry(folded.request(), folded, folded.lane == "batch", None)


def _wait(batch: BatchRecord, answer: AnswerRecorded) -> timedelta | None:
    """Return None if a clock went backwards."""
    created_at = batch.submitted.created_at if batch.submitted else batch.intent.at
    return answer.at - created_at if answer.at >= created_at else None


def list_reused_tasks(states: Iterable[LedgerState]) -> list[ReusedTask]:
    """Return the tasks of all plans. A plan that is repeated for the same head counts once."""
    return [
        reuse
        for state in states
        for plan in plans_counted_once(state)
        for reuse in _reused_tasks(state, plan)
    ]


def _reused_tasks(state: LedgerState, plan: Plan) -> Iterator[ReusedTask]:
    for task in plan.tasks:
        earlier = _answer_before(state, task.id, plan.at)
        if earlier and earlier[1].usd is not None:
            request, answer = earlier
            model = answer.model or request.model
            key = CostKey(plan.at, plan.repo, plan.pr, task.kind, model)
            yield ReusedTask(key, (earlier[1].usd / len(request.tasks)).quantize(SHARE_STEP))


def _answer_before(
    state: LedgerState, task: TaskId, at: datetime
) -> tuple[RequestRecorded, AnswerRecorded] | None:
    """Return the newest answer whose request was recorded before `at`."""
    pairs = state.answers_of([task])
    older = [pair for pair in pairs if pair[0].purpose != "verify" and pair[0].at < at]
    return older[-1] if older else None
