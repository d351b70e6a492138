"""Plan a submission: build requests for new tasks and fit them into the budget."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from claude_batch.batches.batching import (
    FOLLOWS_A_PRIMER,
    PlannedBatch,
    PreparedRequest,
    SentBatch,
    batch_events,
    split_into_batches,
)
from claude_batch.config import rules
from claude_batch.config.model import RISKY_ONLY, Lane
from claude_batch.costs import budgets, prompt_cache
from claude_batch.costs.budgets import SpentDollars
from claude_batch.errors import BadConfig, BudgetExceeded
from claude_batch.ledger.events import Estimate, Plan
from claude_batch.ledger.store import Write
from claude_batch.ledger.usage_history import Basis, InputBasis, Pair
from claude_batch.ledger.view import LedgerState
from claude_batch.submission import budget_ladder
from claude_batch.submission.budget_ladder import rank_by_risk
from claude_batch.submission.plan_record import build_plan, is_recorded
from claude_batch.submission.request_builder import PricedRequest, RequestBuilder
from claude_batch.submission.requests import total_size
from claude_batch.submission.scope import PendingWork, ReviewScope
from claude_batch.tasks.task import Task, tasks_by_path


@dataclass(frozen=True)
class SubmissionPlan:
    plan: Plan
    batches: tuple[PlannedBatch, ...]
    refused: BudgetExceeded | None = None
    is_recorded: bool = False  # the ledger has an equal plan already
    ladder_steps: tuple[str, ...] = ()  # the steps taken, as phrases for people

    @property
    def write(self) -> Write:
        # Recorded even when nothing is sent: publish joins the plan with the answers.
        plan = () if self.is_recorded else (self.plan,)
        return Write((*plan, *batch_events(self.batches)))

    @property
    def estimates(self) -> list[Estimate]:
        return [request.estimate for request in self.requests()]

    @property
    def basis(self) -> Basis:
        """ "history" if all estimates rest on earlier answers."""
        estimates = [request.expected for request in self.requests()]
        is_known = estimates and all(each and each.basis == "history" for each in estimates)
        return "history" if is_known else "defaults"

    @property
    def input_basis(self) -> InputBasis:
        """The weakest basis of any request's input tokens."""
        bases = {each.expected.input_basis for each in self.requests() if each.expected}
        weakest_first: tuple[InputBasis, ...] = ("length", "counted")
        return next((basis for basis in weakest_first if basis in bases), "history")

    def requests(self) -> Iterator[PreparedRequest]:
        return (request for batch in self.batches for request in batch.requests)


@dataclass(frozen=True)
class SubmitResult:
    """The result of a submit; for an estimate nothing is `sent`."""

    plan: SubmissionPlan
    lane: Lane
    sent: tuple[SentBatch, ...] = ()


@dataclass(frozen=True)
class SubmissionPlanner(RequestBuilder):
    """Plan submissions with one configuration, at one time."""

    token_ratios: Mapping[str, Pair] = field(default_factory=dict)  # of token_counting

    def plan(self, state: LedgerState, scope: ReviewScope) -> SubmissionPlan:
        """Plan the submission; runs again on every new tip of the ledger. Pure but for new ids."""
        self._check_settings()
        hits = (
            prompt_cache.measure_hit_rate(state, self.now)
            if self.waits_for_primers
            else prompt_cache.ASSUMED_HIT_RATE
        )
        work = PendingWork.from_state(state, scope, self.token_ratios, hits)
        spent = budgets.sum_spent(state, self.now, scope.pr)
        candidate, steps = self._apply_ladder(work, spent)
        if candidate.refused:
            unsent = build_plan(state, work, (), self.new_id(), self.now)
            refusal = budget_ladder.refuse_after_steps(candidate.refused, steps)
            repeated = bool(scope.resubmission) or is_recorded(state, unsent)
            return SubmissionPlan(unsent, (), refusal, repeated, steps)
        plan = build_plan(state, work, candidate.tasks, self.new_id(), self.now)
        batches = tuple(candidate.plan_batches(scope))
        repeated = bool(scope.resubmission) or (not batches and is_recorded(state, plan))
        return SubmissionPlan(plan, batches, is_recorded=repeated, ladder_steps=steps)

    def _check_settings(self) -> None:
        if self.config.lane == "now" and self.config.retention == "ids":
            raise BadConfig(
                'an answer of the lane now cannot be fetched again, and retention = "ids" does '
                "not keep it",
                'use the lane batch, or set `retention` to "answers"',
            )
        models = (
            *budget_ladder.step_models(self.config.ladder),
            *rules.rule_models(self.config.rules),
        )
        for model in models:  # raises UnknownModel for one without a price
            self.prices.rates(model, at=self.now.date(), prompt_tokens=0)

    def _apply_ladder(
        self, work: PendingWork, spent: SpentDollars
    ) -> "tuple[Candidate, tuple[str, ...]]":
        """Take steps until the budget suffices; return the last candidate and the steps taken.

        A model or effort that is not cheaper is skipped.
        """
        candidate = self._candidate(work, work.new, spent)
        steps: list[str] = []
        risky_only = False
        for step in self.config.ladder:
            if not candidate.refused:
                break
            planner = candidate.planner
            if step == RISKY_ONLY:
                risky_only = True
            else:
                planner = replace(planner, config=budget_ladder.apply_step(planner.config, step))
            cheaper = (
                planner._riskiest_files(work, spent)
                if risky_only
                else planner._candidate(work, work.new, spent)
            )
            if step == RISKY_ONLY or cheaper.max_usd < candidate.max_usd:
                steps.append(budget_ladder.describe_step(candidate.planner.config, step))
                candidate = cheaper
        return candidate, tuple(steps)

    def _candidate(
        self, work: PendingWork, tasks: Sequence[Task], spent: SpentDollars
    ) -> "Candidate":
        candidate = self._price(work, tasks, spent)
        if candidate.refused and candidate.is_primed:
            # Primed requests reserve more, because a cache write costs more than plain input.
            return replace(self, waits_for_primers=False)._price(work, tasks, spent)
        return candidate

    def _price(self, work: PendingWork, tasks: Sequence[Task], spent: SpentDollars) -> "Candidate":
        requests = self.build(tasks, work)
        max_usd = sum((row.expected.estimate.usd_max for row in requests), Decimal(0))
        refused = None
        try:
            budgets.check_budget(self.config.budget, usd_max=max_usd, **spent)
        except BudgetExceeded as refusal:
            refused = refusal
        return Candidate(self, tuple(tasks), requests, max_usd, refused)

    def _riskiest_files(self, work: PendingWork, spent: SpentDollars) -> "Candidate":
        """The largest number of whole files that fit the budget, the riskiest first.

        A file that exceeds the budget alone is skipped; if none fits, all are refused.
        """
        files = tasks_by_path(work.new)
        ranked = rank_by_risk({path: total_size(tasks) for path, tasks in files.items()})
        fitting = [path for path in ranked if not self._candidate(work, files[path], spent).refused]
        best: Candidate | None = None
        low, high = 0, len(fitting)  # `low` files fit, more than `high` do not
        while low < high:
            middle = (low + high + 1) // 2
            paths = set(fitting[:middle])
            tasks = [task for task in work.new if task.path in paths]
            candidate = self._candidate(work, tasks, spent)
            if candidate.refused:
                high = middle - 1
            else:
                low, best = middle, candidate
        return best or self._candidate(work, work.new, spent)


@dataclass(frozen=True)
class Candidate:
    """The requests of one step of the ladder, with their price."""

    planner: SubmissionPlanner
    tasks: tuple[Task, ...]
    requests: tuple[PricedRequest, ...]
    max_usd: Decimal
    refused: BudgetExceeded | None

    @property
    def is_primed(self) -> bool:
        return any(row.request.cached_prefix for row in self.requests)

    def plan_batches(self, scope: ReviewScope) -> Iterator[PlannedBatch]:
        """Each primer in a batch of its own, then plain requests, then the primers' followers."""
        primers = [row for row in self.requests if row.request.purpose == "primer"]
        plain = [row for row in self.requests if not row.request.cached_prefix]
        primed = [row for row in self.requests if row.request.cached_prefix]
        followers = [row for row in primed if row.request.purpose == "ask"]
        reason = scope.resubmission.follows if scope.resubmission else None
        for part in (*([primer] for primer in primers), *split_into_batches(plain)):
            yield self.planner.plan_batch(part, scope, reason)
        for part in split_into_batches(followers):
            yield self.planner.plan_batch(part, scope, FOLLOWS_A_PRIMER)
