"""What is sent of a subject: within the budget or a step of the ladder, claimed in the ledger."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from claude_batch.anthropic_api.request_body import InMemoryBody, StoreBody
from claude_batch.batches.batching import (
    FOLLOWS_A_PRIMER,
    PlannedBatch,
    PreparedRequest,
    RequestEstimate,
    SentBatch,
    batch_events,
    plan_batch,
    split_into_batches,
)
from claude_batch.config import rules as routing
from claude_batch.config.model import RISKY_ONLY, Config, Lane
from claude_batch.costs import budgets as budget
from claude_batch.costs import prompt_cache as prefix
from claude_batch.costs.prices import Prices
from claude_batch.errors import BadConfig, BudgetExceeded
from claude_batch.ledger.events import Estimate, IntentId, Plan
from claude_batch.ledger.store import Write
from claude_batch.ledger.usage_history import Basis, InputBasis, Pair
from claude_batch.ledger.view import LedgerState
from claude_batch.submission import budget_ladder as ladder
from claude_batch.submission.budget_ladder import rank_by_risk
from claude_batch.submission.plan_record import build_plan, is_recorded
from claude_batch.submission.request_builder import RequestBuilder, RequestCache
from claude_batch.submission.requests import Request
from claude_batch.submission.scope import PendingWork, ReviewScope
from claude_batch.tasks.task import Kind, Task


@dataclass(frozen=True)
class SubmissionPlan:
    plan: Plan
    batches: tuple[PlannedBatch, ...]
    refused: BudgetExceeded | None = None
    is_recorded: bool = False  # the ledger's plans already say all of this
    ladder_steps: tuple[str, ...] = ()  # of the ladder that were taken, for people

    @property
    def write(self) -> Write:
        """The plan is recorded even when nothing is sent: publish joins it with the answers."""
        plan = () if self.is_recorded else (self.plan,)
        return Write((*plan, *batch_events(self.batches)))

    @property
    def estimates(self) -> list[Estimate]:
        return [draft.estimate for draft in self.requests()]

    @property
    def basis(self) -> Basis:
        """History where every request's estimate rests on it."""
        found = [draft.expected for draft in self.requests()]
        known = found and all(one and one.basis == "history" for one in found)
        return "history" if known else "defaults"

    @property
    def input_basis(self) -> InputBasis:
        """The weakest that any request's tokens in rest on."""
        found = {draft.expected.input_basis for draft in self.requests() if draft.expected}
        weakest: tuple[InputBasis, ...] = ("length", "counted")
        return next((basis for basis in weakest if basis in found), "history")

    def requests(self) -> Iterator[PreparedRequest]:
        return (draft for parcel in self.batches for draft in parcel.requests)


@dataclass(frozen=True)
class SubmitResult:
    """What a submit did; without `sent`, what it would do."""

    plan: SubmissionPlan
    lane: Lane
    sent: tuple[SentBatch, ...] = ()


class SpentDollars(TypedDict):
    """Dollars, as `budget.check` wants them."""

    spent_pr: Decimal | None
    spent_day: Decimal
    spent_month: Decimal


@dataclass(frozen=True)
class SubmissionPlanner:
    """How one process claims: its settings, its clock's reading and its source of fresh ids."""

    config: Config
    kinds: tuple[Kind, ...]
    prices: Prices
    now: datetime
    new_id: Callable[[], str]  # 16 random hex digits
    store_body: StoreBody = InMemoryBody  # where bodies wait until they are sent
    token_ratios: Mapping[str, Pair] = field(default_factory=dict)  # counting.ratios
    waits_for_primers: bool = (
        False  # it is still there when a primer has ended, and sends what follows
    )
    cache: RequestCache = field(default_factory=RequestCache, compare=False)

    def plan(self, state: LedgerState, scope: ReviewScope) -> SubmissionPlan:
        """Pure in its arguments but for fresh ids; runs again on every new tip of the ledger."""
        self._check_settings()
        hits = (
            prefix.measure_hit_rate(state, self.now)
            if self.waits_for_primers
            else prefix.ASSUMED_HIT_RATE
        )
        work = PendingWork.from_state(state, scope, self.token_ratios, hits)
        spent = self._spent(state, scope.pr)
        offer, steps = self._apply_ladder(work, spent)
        if offer.refused:
            unsent = build_plan(state, work, (), self.new_id(), self.now)
            refusal = ladder.refuse_after_steps(offer.refused, steps)
            repeated = bool(scope.resubmission) or is_recorded(state, unsent)
            return SubmissionPlan(unsent, (), refusal, repeated, steps)
        plan = build_plan(state, work, offer.tasks, self.new_id(), self.now)
        parcels = tuple(offer.plan_batches(scope))
        repeated = bool(scope.resubmission) or (not parcels and is_recorded(state, plan))
        return SubmissionPlan(plan, parcels, is_recorded=repeated, ladder_steps=steps)

    @property
    def request_builder(self) -> RequestBuilder:
        return RequestBuilder(
            self.config,
            self.kinds,
            self.prices,
            self.now,
            self.store_body,
            self.waits_for_primers,
            self.cache,
        )

    def _check_settings(self) -> None:
        if self.config.lane == "now" and self.config.retention == "ids":
            raise BadConfig(
                'an answer of the lane now cannot be fetched again, and retention = "ids" does '
                "not keep it",
                'use the lane batch, or set `retention` to "answers"',
            )
        named = (*ladder.step_models(self.config.ladder), *routing.models(self.config.rules))
        for model in named:  # raises for one without a price
            self.prices.rates(model, at=self.now.date(), prompt_tokens=0)

    def _apply_ladder(
        self, work: PendingWork, spent: SpentDollars
    ) -> "tuple[Candidate, tuple[str, ...]]":
        """The first step of the ladder that the budget holds, else the last one, refused; with
        all steps down to it. A model or effort that makes nothing cheaper is passed over."""
        offer = self._candidate(work, work.new, spent)
        steps: list[str] = []
        narrow = False
        for step in self.config.ladder:
            if not offer.refused:
                break
            lower = offer.planner
            if step == RISKY_ONLY:
                narrow = True
            else:
                lower = replace(lower, config=ladder.apply_step(lower.config, step))
            tried = (
                lower._riskiest_files(work, spent)
                if narrow
                else lower._candidate(work, work.new, spent)
            )
            if step == RISKY_ONLY or tried.max_usd < offer.max_usd:
                steps.append(ladder.describe_step(offer.planner.config, step))
                offer = tried
        return offer, tuple(steps)

    def _candidate(
        self, work: PendingWork, tasks: Sequence[Task], spent: SpentDollars
    ) -> "Candidate":
        """Where a budget does not hold what primed requests reserve, all goes at once."""
        offer = self._price(work, tasks, spent)
        if offer.refused and offer.is_primed:
            return replace(self, waits_for_primers=False)._price(work, tasks, spent)
        return offer

    def _price(self, work: PendingWork, tasks: Sequence[Task], spent: SpentDollars) -> "Candidate":
        made = self.request_builder.requests(tasks, work) if tasks else ()
        expected = [self.request_builder.estimate(one, work.history) for one in made]
        most = sum((one.estimate.usd_max for one in expected), Decimal(0))
        refused = None
        try:
            budget.check_budget(self.config.budget, usd_max=most, **spent)
        except BudgetExceeded as refusal:
            refused = refusal
        return Candidate(self, tuple(tasks), tuple(zip(made, expected, strict=True)), most, refused)

    def _riskiest_files(self, work: PendingWork, spent: SpentDollars) -> "Candidate":
        """As many whole files as the budget holds, the riskiest first. A file that is too dear by
        itself is passed over; where nothing fits, all of it is refused."""
        files = work.new_by_path()
        order = rank_by_risk({path: _size(tasks) for path, tasks in files.items()})
        fitting = [path for path in order if not self._candidate(work, files[path], spent).refused]
        best: Candidate | None = None
        low, high = 0, len(fitting)  # so many fit; more than so many do not
        while low < high:
            middle = (low + high + 1) // 2
            chosen = set(fitting[:middle])
            tried = self._candidate(work, [one for one in work.new if one.path in chosen], spent)
            if tried.refused:
                high = middle - 1
            else:
                low, best = middle, tried
        return best or self._candidate(work, work.new, spent)

    def _spent(self, state: LedgerState, pr: int | None) -> SpentDollars:
        day, month = budget.start_of_day_and_month(self.now)
        return SpentDollars(
            spent_pr=state.spent(budget.BEGINNING_OF_TIME, pr) if pr else None,
            spent_day=state.spent(day),
            spent_month=state.spent(month),
        )


@dataclass(frozen=True)
class Candidate:
    """What one step of the ladder would send."""

    planner: SubmissionPlanner
    tasks: tuple[Task, ...]
    requests: tuple[tuple[Request, RequestEstimate], ...]
    max_usd: Decimal
    refused: BudgetExceeded | None

    @property
    def is_primed(self) -> bool:
        return any(made.cached_prefix for made, _ in self.requests)

    def plan_batches(self, subject: ReviewScope) -> Iterator[PlannedBatch]:
        """With fresh ids. Primers are first, each alone; last is what waits for them."""
        expected = {id(made): one for made, one in self.requests}
        drafter = self.planner.request_builder

        def parcel(part: Sequence[Request], follows: str | None) -> PlannedBatch:
            intent = IntentId(self.planner.new_id())
            drafts = [
                drafter.prepare(made, expected[id(made)], n, intent, subject)
                for n, made in enumerate(part)
            ]
            return plan_batch(drafts, self.planner.config.lane, follows)

        requests = [made for made, _ in self.requests]
        again = subject.resubmission.follows if subject.resubmission else None
        yield from (parcel([made], again) for made in requests if made.purpose == "primer")
        plain = [made for made in requests if not made.cached_prefix]
        yield from (parcel(part, again) for part in split_into_batches(plain))
        rest = [made for made in requests if made.cached_prefix and made.purpose == "ask"]
        yield from (parcel(part, FOLLOWS_A_PRIMER) for part in split_into_batches(rest))


def _size(tasks: Sequence[Task]) -> int:
    return sum(len(task.hunk.body) for task in tasks)
