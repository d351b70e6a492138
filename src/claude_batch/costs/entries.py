"""What reports add up: each answered request with its lane and its wait, and each task not asked
again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.events import (
    AnswerRecorded,
    FoldedRequest,
    Plan,
    RequestRecorded,
    is_unpriced,
)
from claude_batch.ledger.view import LedgerState, plans_counted_once
from claude_batch.tasks.task import TaskId

SHARE = Decimal("1e-9")  # a third of a cent has no last digit


@dataclass(frozen=True, slots=True)
class CostKey:
    """Where in a report something counts."""

    at: datetime
    repo: str
    pr: int | None
    kind: str
    model: str


@dataclass(frozen=True, slots=True)
class CostEntry:
    request: RequestRecorded  # of a folded request: what `fold.asked_of` says
    answer: AnswerRecorded | FoldedRequest
    in_batch: bool
    wait: timedelta | None  # from its batch's creation to the record of its answer; None: unknown

    @property
    def key(self) -> CostKey:
        model = self.answer.model or self.request.model
        return CostKey(self.answer.at, self.request.repo, self.request.pr, self.request.kind, model)

    @property
    def is_unpriced(self) -> bool:
        """It may have been billed, and nothing says how much."""
        return is_unpriced(self.answer)


@dataclass(frozen=True, slots=True)
class ReusedTask:
    """A task of a submission that had been answered before, and its share of that answer."""

    key: CostKey
    usd: Decimal


def list_cost_entries(views: Iterable[LedgerState]) -> list[CostEntry]:
    return [entry for view in views for entry in _entries(view)]


def _entries(view: LedgerState) -> Iterator[CostEntry]:
    for sending in view.batch_records.values():
        for n, asked in sending.requests.items():
            if n in sending.answers:
                answer = sending.answers[n]
                in_batch = sending.intent.lane == "batch"
                yield CostEntry(asked, answer, in_batch, _waited(sending, answer))
    for row in view.settled.values():
        yield CostEntry(
            row.request(), row, row.lane == "batch", None
        )  # folding keeps one time only


def _waited(sending: BatchRecord, answer: AnswerRecorded) -> timedelta | None:
    """None where a clock went backwards."""
    began = sending.submitted.created_at if sending.submitted else sending.intent.at
    return answer.at - began if answer.at >= began else None


def list_reused_tasks(views: Iterable[LedgerState]) -> list[ReusedTask]:
    """A submission that is repeated for the same head counts once."""
    return [
        reuse
        for view in views
        for plan in plans_counted_once(view)
        for reuse in _reuses(view, plan)
    ]


def _reuses(view: LedgerState, plan: Plan) -> Iterator[ReusedTask]:
    for task in plan.tasks:
        served = _answer_before(view, task.id, plan.at)
        if served and served[1].usd is not None:
            asked, answered = served
            model = answered.model or asked.model
            spot = CostKey(plan.at, plan.repo, plan.pr, task.kind, model)
            yield ReusedTask(spot, (served[1].usd / len(asked.tasks)).quantize(SHARE))


def _answer_before(
    view: LedgerState, task: TaskId, at: datetime
) -> tuple[RequestRecorded, AnswerRecorded] | None:
    """The newest that had been asked for before `at`."""
    found = view.answers_of([task])
    older = [pair for pair in found if pair[0].purpose != "verify" and pair[0].at < at]
    return older[-1] if older else None
