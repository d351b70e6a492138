"""Plan a submission: build requests for new tasks and fit them into the budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from claude_batch.batches.batching import SentBatch
from claude_batch.config import rules
from claude_batch.config.model import RISKY_ONLY, Lane
from claude_batch.costs import budgets, prompt_cache
from claude_batch.costs.budgets import SpentDollars
from claude_batch.errors import BadConfig, BudgetExceeded
from claude_batch.ledger.events import Estimate, Plan
from claude_batch.ledger.usage_history import Basis, InputBasis, Pair, UsageHistory
from claude_batch.ledger.view import LedgerState
from claude_batch.submission import budget_ladder
from claude_batch.submission.budget_ladder import rank_by_risk
from claude_batch.submission.plan_record import build_plan
from claude_batch.submission.request_builder import PricedRequest, RequestBuilder
from claude_batch.submission.requests import total_size
from claude_batch.submission.scope import PendingWork, ReviewScope
from claude_batch.tasks.task import Task, tasks_by_path
from claude_batch.waiting.settings import WaitingSettings
from claude_batch.waiting.task_states import TaskState

MAX_USD_FOR_NOW = Decimal("0.05")  # that lane `auto` pays more for an answer at once


@dataclass(frozen=True)
class SubmissionPlan:
    """A plan and the requests for its tasks that are to be sent now."""

    plan: Plan
    work: PendingWork
    candidate: "Candidate"
    settings_digest: str
    ladder_steps: tuple[str, ...] = ()  # the steps taken, as phrases for people
    is_recorded: bool = False  # the plan is in the ledger already

    @property
    def refused(self) -> BudgetExceeded | None:
        refusal = self.candidate.refused
        return budget_ladder.refuse_after_steps(refusal, self.ladder_steps) if refusal else None

    @property
    def new(self) -> int:
        """Tasks that are sent."""
        return 0 if self.candidate.refused else len(self.candidate.tasks)

    @property
    def known(self) -> int:
        """Tasks that are answered or in flight."""
        return len(self.work.known)

    @property
    def waiting(self) -> int:
        """Tasks that stay waiting."""
        sent = {task.id for task in self.candidate.tasks} if self.new else set()
        elsewhere = self.work.scope.known_elsewhere
        return sum(
            reading.state is TaskState.WAITING and task not in sent and task not in elsewhere
            for task, reading in self.work.readings.items()
        )

    @property
    def requests(self) -> tuple[PricedRequest, ...]:
        return () if self.candidate.refused else self.candidate.requests

    @property
    def estimates(self) -> list[Estimate]:
        return [row.expected.estimate for row in self.requests]

    @property
    def lane(self) -> Lane:
        return self.candidate.planner.config.batch_lane

    @property
    def basis(self) -> Basis:
        """ "history" if all estimates rest on earlier answers."""
        bases = {row.expected.basis for row in self.requests}
        return "history" if bases == {"history"} else "defaults"

    @property
    def input_basis(self) -> InputBasis:
        """The weakest basis of any request's input tokens."""
        bases = {row.expected.input_basis for row in self.requests}
        weakest_first: tuple[InputBasis, ...] = ("length", "counted")
        return next((basis for basis in weakest_first if basis in bases), "history")


@dataclass(frozen=True)
class SubmitResult:
    """The result of a submit; for an estimate nothing is `sent`."""

    plan: SubmissionPlan
    lane: Lane
    sent: tuple[SentBatch, ...] = ()


@dataclass
class LedgerSums:
    """Sums over the ledger, and the dollars that earlier plans of the same write reserve.

    They are computed once for all plans of a write, because each reads every request.
    """

    state: LedgerState
    now: datetime
    _reserved: dict[int | None, Decimal] = field(default_factory=dict, init=False)

    @cached_property
    def history(self) -> UsageHistory:
        return UsageHistory.from_state(self.state)

    @cached_property
    def cache_hit_rate(self) -> Decimal:
        return prompt_cache.measure_hit_rate(self.state, self.now)

    @cached_property
    def _spent(self) -> SpentDollars:
        return budgets.sum_spent(self.state, self.now)

    def reserve(self, pr: int | None, usd: Decimal) -> None:
        self._reserved[pr] = self._reserved.get(pr, Decimal(0)) + usd

    def spent(self, pr: int | None) -> SpentDollars:
        """Dollars that are spent or reserved."""
        on_pull = budgets.sum_spent_on(self.state, pr)
        reserved = sum(self._reserved.values(), Decimal(0))
        return SpentDollars(
            spent_pr=None if on_pull is None else on_pull + self._reserved.get(pr, Decimal(0)),
            spent_day=self._spent["spent_day"] + reserved,
            spent_month=self._spent["spent_month"] + reserved,
        )


@dataclass(frozen=True)
class SubmissionPlanner(RequestBuilder):
    """Plan submissions with one configuration, at one time."""

    token_ratios: Mapping[str, Pair] = field(default_factory=dict)  # of token_counting

    def plan(
        self, state: LedgerState, scope: ReviewScope, sums: LedgerSums | None = None
    ) -> SubmissionPlan:
        """Plan the submission; runs again on every new tip of the ledger. Pure but for new ids.

        `sums` is shared by the plans of one write.
        """
        self._check_settings()
        sums = sums or LedgerSums(state, self.now)
        if scope.resubmission:
            plan = scope.resubmission.plan
        else:
            plan = build_plan(state, scope, self.kinds, self.new_id(), self.now)
        is_recorded = any(other.id == plan.id for other in state.plans)
        work = self._pending_work(state, scope, plan, sums)
        candidate, steps = self._choose_lane(work, sums.spent(scope.pr))
        submission = SubmissionPlan(plan, work, candidate, self.settings.digest, steps, is_recorded)
        if is_recorded:
            return submission
        counts = {"new": submission.new, "reused": submission.known}
        return replace(submission, plan=plan.model_copy(update=counts))

    @cached_property
    def settings(self) -> WaitingSettings:
        return WaitingSettings.from_config(self.config)

    def _pending_work(
        self, state: LedgerState, scope: ReviewScope, plan: Plan, sums: LedgerSums
    ) -> PendingWork:
        history = replace(sums.history, counted=self.token_ratios)
        if not self.waits_for_primers:
            return PendingWork.from_state(state, scope, plan, self.settings, self.now, history)
        return PendingWork.from_state(
            state, scope, plan, self.settings, self.now, history, sums.cache_hit_rate
        )

    def _check_settings(self) -> None:
        if self.config.plan_lane == "now" and self.config.retention == "ids":
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

    def _choose_lane(
        self, work: PendingWork, spent: SpentDollars
    ) -> "tuple[Candidate, tuple[str, ...]]":
        """Lane `auto`: at once where that costs little more than a batch."""
        if self.config.plan_lane != "auto":
            return self._apply_ladder(work, spent)
        in_batch = self._with_lane("batch")._apply_ladder(work, spent)
        # Answers of the lane now cannot be fetched again, so they have to be kept.
        if in_batch[0].refused or in_batch[1] or self.config.retention == "ids":
            return in_batch
        at_once = self._with_lane("now")._candidate(work, work.new, spent)
        is_cheap = at_once.usd - in_batch[0].usd <= MAX_USD_FOR_NOW
        return (at_once, ()) if is_cheap and not at_once.refused else in_batch

    def _with_lane(self, lane: Lane) -> "SubmissionPlanner":
        return replace(self, config=self.config.model_copy(update={"lane": lane}))

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
    def usd(self) -> Decimal:
        return sum((row.expected.estimate.usd for row in self.requests), Decimal(0))

    @property
    def is_primed(self) -> bool:
        return any(row.request.cached_prefix for row in self.requests)
