"""What is due after answers have been collected, and its claim in the ledger."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from claude_batch.batches.batching import (
    PlannedBatch,
    PreparedRequest,
    batch_events,
    plan_batch,
    split_into_batches,
)
from claude_batch.batches.custom_ids import custom_id
from claude_batch.config.model import Config, Lane
from claude_batch.costs import budgets as budget
from claude_batch.costs.estimates import estimate_request
from claude_batch.costs.prices import Prices
from claude_batch.errors import BudgetExceeded
from claude_batch.ledger.events import Estimate, IntentId, RequestRecorded, Stamp
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import LedgerState
from claude_batch.verification.outcomes import due_findings
from claude_batch.verification.requests import Claim, VerificationRequest, build_requests


@dataclass(frozen=True)
class VerificationPlan:
    batches: tuple[PlannedBatch, ...] = ()
    refused: tuple[BudgetExceeded, ...] = ()

    @property
    def write(self) -> Write:
        return Write(batch_events(self.batches))


@dataclass(frozen=True)
class VerificationPlanner:
    """How one process plans: its settings, its clock's reading and its source of fresh ids."""

    config: Config
    prices: Prices
    run: str
    now: datetime
    new_id: Callable[[], str]  # 16 random hex digits

    def plan(self, state: LedgerState, claims: Sequence[Claim]) -> VerificationPlan:
        """Second looks at those of `cases` that nobody looks at yet. A pull request whose budget
        does not hold them waits; the others do not wait for it.

        Pure but for fresh ids. Raises UnknownModel.
        """
        if self.config.verify is None:
            return VerificationPlan()
        wanted = due_findings(state, self.now)
        asked = list(
            build_requests((one for one in claims if one.finding.id in wanted), self.config.verify)
        )
        affordable, refused = self._within_budget(state, asked)
        lanes: tuple[Lane, ...] = ("batch", "now")
        parcels = (
            self._plan_batch(part, lane)
            for lane in lanes
            for part in split_into_batches(
                [one for one in affordable if one.claims[0].lane == lane]
            )
        )
        return VerificationPlan(tuple(parcels), tuple(refused))

    def _within_budget(
        self, state: LedgerState, asked: Sequence[VerificationRequest]
    ) -> tuple[list[VerificationRequest], list[BudgetExceeded]]:
        day, month = budget.start_of_day_and_month(self.now)
        spent_day, spent_month = state.spent(day), state.spent(month)
        kept: list[VerificationRequest] = []
        refused: list[BudgetExceeded] = []
        taken = Decimal(0)
        for pr, group in _by_pull_request(asked):
            most = sum((self._estimate(one).usd_max for one in group), Decimal(0))
            try:
                budget.check_budget(
                    self.config.budget,
                    usd_max=most,
                    spent_pr=state.spent(budget.BEGINNING_OF_TIME, pr) if pr else None,
                    spent_day=spent_day + taken,
                    spent_month=spent_month + taken,
                )
            except BudgetExceeded as refusal:
                refused.append(refusal)
            else:
                kept += group
                taken += most
        return kept, refused

    def _plan_batch(self, group: Sequence[VerificationRequest], lane: Lane) -> PlannedBatch:
        intent = IntentId(self.new_id())
        drafts = [self._prepare(one, n, intent) for n, one in enumerate(group)]
        return plan_batch(drafts, lane, "verify")

    def _prepare(self, question: VerificationRequest, n: int, intent: IntentId) -> PreparedRequest:
        origin = question.claims[0].request
        asked = Stamp(self.run, origin.repo, lambda: self.now).event(
            RequestRecorded,
            intent=intent,
            n=n,
            sha=question.body.sha,
            pr=origin.pr,
            kind=origin.kind,
            model=question.model,
            effort=None,
            purpose="verify",
            tasks=question.tasks,
            about=question.about,
            estimate=self._estimate(question),
        )
        return PreparedRequest(custom_id(intent, n, asked.sha), question.body, asked)

    def _estimate(self, question: VerificationRequest) -> Estimate:
        return estimate_request(
            self.prices,
            question.model,
            None,
            chars=question.body.size,
            tasks=len(question.claims),
            at=self.now.date(),
            batch=question.claims[0].lane == "batch",
            output_limit=question.max_tokens,
            expected_output=question.output_tokens,
        )


def _by_pull_request(
    asked: Sequence[VerificationRequest],
) -> Iterator[tuple[int | None, list[VerificationRequest]]]:
    groups: dict[int | None, list[VerificationRequest]] = {}
    for one in asked:
        groups.setdefault(one.claims[0].request.pr, []).append(one)
    yield from groups.items()
