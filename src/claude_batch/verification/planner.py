"""Plan second looks: group claims into requests, within the budgets."""

from collections.abc import Callable, Iterable
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
from claude_batch.config.model import Config, Lane
from claude_batch.costs.budgets import check_budget, sum_spent, sum_spent_on
from claude_batch.costs.estimates import estimate_request
from claude_batch.costs.prices import Prices
from claude_batch.errors import BudgetExceeded
from claude_batch.ledger.events import Estimate, IntentId, RequestRecorded, Stamp
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import LedgerState
from claude_batch.verification.immediate import MAX_AT_ONCE
from claude_batch.verification.outcomes import due_findings
from claude_batch.verification.requests import Claim, VerificationRequest, build_requests

# How much more lane now may cost than a batch, in dollars.
MAX_EXTRA_OF_PULL_REQUEST = Decimal("0.05")
MAX_EXTRA_OF_RUN = Decimal("0.50")


@dataclass(frozen=True)
class VerificationPlan:
    batches: tuple[PlannedBatch, ...] = ()
    refused: tuple[BudgetExceeded, ...] = ()

    @property
    def write(self) -> Write:
        return Write(batch_events(self.batches))


@dataclass(frozen=True)
class VerificationPlanner:
    """The settings, the time and the source of ids with which one process plans."""

    config: Config
    prices: Prices
    run: str
    now: datetime
    new_id: Callable[[], str]  # 16 random hex digits
    key_scope: str | None = None  # of the client that sends the batches

    def plan(
        self, state: LedgerState, claims: Iterable[Claim], *, at_once: bool = False
    ) -> VerificationPlan:
        """Plan second looks at the claims that have none yet.

        A pull request over its budget waits without holding up the others. Pure but for new ids.
        Raises UnknownModel. `at_once`: use lane now where that costs little more, and for the
        answers of that lane. If not, all are sent in batches.
        """
        if self.config.verify is None:
            return VerificationPlan()
        due = due_findings(state, self.now)
        wanted = [claim for claim in claims if claim.finding.id in due]
        requests = build_requests(wanted, self.config.verify)
        affordable, refused = self._within_budget(state, requests, at_once=at_once)
        in_batches = [request for request in affordable if request.lane == "batch"]
        immediate = [request for request in affordable if request.lane == "now"]
        batches = [self._plan_batch(part, "batch") for part in split_into_batches(in_batches)]
        # Each of these is sent by a thread of its own.
        parts = filter(None, (immediate[start::MAX_AT_ONCE] for start in range(MAX_AT_ONCE)))
        batches += [self._plan_batch(part, "now") for part in parts]
        return VerificationPlan(tuple(batches), tuple(refused))

    def _within_budget(
        self,
        state: LedgerState,
        requests: Iterable[VerificationRequest],
        *,
        at_once: bool,
    ) -> tuple[list[VerificationRequest], list[BudgetExceeded]]:
        spent = sum_spent(state, self.now)
        affordable: list[VerificationRequest] = []
        refused: list[BudgetExceeded] = []
        by_pull_request: dict[int | None, list[VerificationRequest]] = {}
        for request in requests:
            by_pull_request.setdefault(request.claims[0].request.pr, []).append(request)
        extra_left = MAX_EXTRA_OF_RUN
        for pr, group in by_pull_request.items():
            spent["spent_pr"] = sum_spent_on(state, pr)
            in_batch = [request.in_lane("batch") for request in group]
            immediate = [request.in_lane("now") for request in group]
            extra = self._usd(immediate) - self._usd(in_batch)
            if any(request.lane == "batch" for request in group):
                is_cheap = extra <= min(MAX_EXTRA_OF_PULL_REQUEST, extra_left)
            else:
                is_cheap = True  # a person has asked for answers at once
            refusal: BudgetExceeded | None = None
            for choice in [immediate, in_batch] if at_once and is_cheap else [in_batch]:
                max_usd = sum((self._estimate(request).usd_max for request in choice), Decimal(0))
                try:
                    check_budget(self.config.budget, usd_max=max_usd, **spent)
                except BudgetExceeded as error:
                    refusal = error
                    continue
                affordable += choice
                spent["spent_day"] += max_usd
                spent["spent_month"] += max_usd
                extra_left -= extra if choice is immediate else Decimal(0)
                break
            else:
                refused += [refusal] if refusal else []
        return affordable, refused

    def _usd(self, requests: Iterable[VerificationRequest]) -> Decimal:
        return sum((self._estimate(request).usd for request in requests), Decimal(0))

    def _plan_batch(self, requests: Iterable[VerificationRequest], lane: Lane) -> PlannedBatch:
        intent = IntentId(self.new_id())
        prepared = [self._prepare(request, n, intent) for n, request in enumerate(requests)]
        return plan_batch(prepared, lane, "verify", self.key_scope)

    def _prepare(self, request: VerificationRequest, n: int, intent: IntentId) -> PreparedRequest:
        reviewed = request.claims[0].request
        event = Stamp(self.run, reviewed.repo, lambda: self.now).event(
            RequestRecorded,
            intent=intent,
            n=n,
            sha=request.body.sha,
            pr=reviewed.pr,
            kind=reviewed.kind,
            model=request.model,
            effort=None,
            purpose="verify",
            tasks=request.tasks,
            about=request.about,
            estimate=self._estimate(request),
        )
        return PreparedRequest(request.body, event)

    def _estimate(self, request: VerificationRequest) -> Estimate:
        return estimate_request(
            self.prices,
            request.model,
            None,
            chars=request.body.size,
            tasks=len(request.claims),
            at=self.now.date(),
            batch=request.lane == "batch",
            output_limit=request.max_tokens,
            expected_output=request.output_tokens,
        )
