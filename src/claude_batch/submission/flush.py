"""Send the tasks of several plans together: in order of priority, within the budgets."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.request_body import Body
from claude_batch.batches import batching
from claude_batch.batches.batching import (
    FOLLOWS_A_PRIMER,
    PlannedBatch,
    SentBatch,
    batch_events,
    split_into_batches,
)
from claude_batch.config.model import Lane
from claude_batch.errors import (
    BadConfig,
    CannotCollect,
    CannotFetch,
    CannotPublish,
    CannotRead,
    CannotSubmit,
    ClaudeBatchError,
)
from claude_batch.ledger.events import IntentId, Stamp, Unsent
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState
from claude_batch.submission.budget_ladder import OVER_BUDGET
from claude_batch.submission.planner import (
    LedgerSums,
    SubmissionPlan,
    SubmissionPlanner,
)
from claude_batch.submission.request_builder import PricedRequest
from claude_batch.submission.scope import Resubmission, ReviewScope
from claude_batch.submission.send import BatchSender
from claude_batch.tasks.task import TaskId
from claude_batch.waiting.queue import WaitingTask, due_by_plan, waiting_tasks
from claude_batch.waiting.settings import WaitingSettings
from claude_batch.waiting.task_states import TaskReading, back_off

# Git, GitHub or a configuration kept a plan from being built.
UNBUILT = (BadConfig, CannotCollect, CannotFetch, CannotPublish, CannotRead)


@dataclass(frozen=True)
class Submission:
    """A scope, and the planner with the configuration that applies to it."""

    planner: SubmissionPlanner
    scope: ReviewScope

    @property
    def priority(self) -> int:
        again = self.scope.resubmission
        return again.plan.priority if again else self.scope.options.priority


@dataclass(frozen=True)
class FlushPlan:
    """The plans and batches that are sent together, and the record of what stays waiting."""

    parts: tuple[SubmissionPlan, ...]
    batches: tuple[PlannedBatch, ...]
    unsent: tuple[Unsent, ...]

    @property
    def write(self) -> Write:
        # Plans are recorded even when nothing is sent: their tasks wait.
        plans = (part.plan for part in self.parts if not part.is_recorded)
        return Write((*plans, *batch_events(self.batches), *self.unsent))


def plan_flush(
    state: LedgerState, submissions: Sequence[Submission], key_scope: str | None = None
) -> FlushPlan:
    """Plan submissions in the given order.

    A later one has what the budgets leave, and tasks that an earlier one sends are known to it.
    Runs again on every new tip of the ledger. Pure but for new ids. `key_scope`: that of the
    client which sends the batches.
    """
    if not submissions:
        return FlushPlan((), (), ())
    parts: list[SubmissionPlan] = []
    sums = LedgerSums(state, submissions[0].planner.now)
    sent: frozenset[TaskId] = frozenset()
    for submission in submissions:
        scope = submission.scope
        own = sent & {task.id for task in scope.tasks}
        if own:
            scope = replace(scope, known_elsewhere=scope.known_elsewhere | own)
        part = submission.planner.plan(state, scope, sums)
        parts.append(part)
        if not part.refused:
            sums.reserve(scope.pr, part.candidate.max_usd)
            sent |= {task.id for task in part.candidate.tasks}
    unsent = (event for part in parts for event in _unsent(state, part))
    return FlushPlan(tuple(parts), tuple(_join(parts, key_scope)), tuple(unsent))


def _unsent(state: LedgerState, part: SubmissionPlan) -> Iterator[Unsent]:
    """The record of tasks for which the budget did not suffice."""
    left_over = len(part.work.new) - part.new
    if not left_over:
        return
    planner, scope = part.candidate.planner, part.work.scope
    earlier = len(state.unsent.get(part.plan.id, ()))
    problem = part.refused.problem if part.refused else OVER_BUDGET
    yield Stamp(scope.run, scope.repo, lambda: planner.now).event(
        Unsent,
        plan=part.plan.id,
        reason="budget",
        problem=problem,
        retry_at=planner.now + back_off(earlier + 2),
        settings=part.settings_digest,
    )


@dataclass(frozen=True)
class _Row:
    """A request of one of the parts."""

    priced: PricedRequest
    planner: SubmissionPlanner
    scope: ReviewScope

    @property
    def body(self) -> Body:
        return self.priced.body

    @property
    def lane(self) -> Lane:
        return self.planner.config.batch_lane


def _join(parts: Sequence[SubmissionPlan], key_scope: str | None) -> Iterator[PlannedBatch]:
    """Each primer in a batch of its own, then plain requests, then the primers' followers."""
    rows = [
        _Row(priced, part.candidate.planner, part.work.scope)
        for part in parts
        for priced in part.requests
    ]
    for lane in dict.fromkeys(row.lane for row in rows):
        own = [row for row in rows if row.lane == lane]
        primers = [row for row in own if row.priced.request.purpose == "primer"]
        plain = [row for row in own if not row.priced.request.cached_prefix]
        followers = [
            row
            for row in own
            if row.priced.request.cached_prefix and row.priced.request.purpose == "ask"
        ]
        for group in (*([primer] for primer in primers), *split_into_batches(plain)):
            yield _plan_batch(group, lane, _common_reason(group), key_scope)
        for group in split_into_batches(followers):
            yield _plan_batch(group, lane, FOLLOWS_A_PRIMER, key_scope)


def _plan_batch(
    rows: Sequence[_Row], lane: Lane, follows: str | None, key_scope: str | None
) -> PlannedBatch:
    intent = IntentId(rows[0].planner.new_id())
    prepared = [row.planner.prepare(row.priced, n, intent, row.scope) for n, row in enumerate(rows)]
    return batching.plan_batch(prepared, lane, follows, key_scope)


def _common_reason(rows: Sequence[_Row]) -> str | None:
    again = [row.scope.resubmission for row in rows]
    reasons = {resubmission.follows if resubmission else None for resubmission in again}
    return reasons.pop() if len(reasons) == 1 else None


@dataclass(frozen=True)
class FlushOptions:
    """The selection of a `flush` command."""

    is_flush: bool = False  # a person's command, which ends waits
    only_tried: bool = False  # tasks that were sent before
    max_tasks: int | None = None
    kind: str | None = None
    min_priority: int | None = None

    def selects(self, item: WaitingTask) -> bool:
        return (self.kind is None or item.task.kind == self.kind) and (
            self.min_priority is None or item.plan.priority >= self.min_priority
        )


@dataclass(frozen=True)
class FlushResult:
    """`problems`: the plans of which nothing or not all was sent, with the reasons."""

    parts: tuple[SubmissionPlan, ...] = ()
    sent: tuple[SentBatch, ...] = ()
    problems: tuple[tuple[str, ClaudeBatchError], ...] = ()


@dataclass(frozen=True)
class Flusher:
    """Sends the waiting tasks of a ledger."""

    ledger: Ledger
    anthropic: AnthropicClient
    settings: WaitingSettings
    now: Callable[[], datetime]
    # Rebuilds the tasks of a recorded plan. Raises BadConfig, CannotFetch, CannotRead.
    load: Callable[[Resubmission], Submission]
    despite_damage: bool = False

    def flush(
        self, options: FlushOptions = FlushOptions(), fresh: Sequence[Submission] = ()
    ) -> FlushResult:
        """Send `fresh` plans and what is due of the recorded ones, in order of priority.

        A plan that cannot be built is named, and the others are sent. Raises as `send`.
        """
        submissions = [*fresh]
        problems: list[tuple[str, ClaudeBatchError]] = []
        subjects = {submission.scope.pr for submission in fresh if submission.scope.pr}
        for resubmission in self._due(options):
            if resubmission.plan.pr in subjects:
                continue  # its new plan takes its place
            try:
                submissions.append(self.load(resubmission))
            except UNBUILT as error:
                problems.append((resubmission.plan.label, error))
        result = self.send(submissions)
        return replace(result, problems=(*problems, *result.problems))

    def send(self, submissions: Sequence[Submission]) -> FlushResult:
        """Send these alone, in order of priority. Raises CannotRecord, LedgerDamaged."""
        if not submissions:
            return FlushResult()
        ordered = sorted(submissions, key=lambda submission: -submission.priority)
        prices = ordered[0].planner.prices
        sender = BatchSender(
            self.ledger, self.anthropic, prices, self.now, despite_damage=self.despite_damage
        )
        plan = sender.claim(lambda state: plan_flush(state, ordered, self.anthropic.key_scope))
        problems: list[tuple[str, ClaudeBatchError]] = [
            (part.plan.label, part.refused) for part in plan.parts if part.refused
        ]
        sent: list[SentBatch] = []
        try:
            sent.extend(sender.send(plan.batches))
        except CannotSubmit as error:  # the tasks wait
            labels = ", ".join(part.plan.label for part in plan.parts if part.new)
            problems.append((labels, error))
        return FlushResult(plan.parts, tuple(sent), tuple(problems))

    def _due(self, options: FlushOptions) -> list[Resubmission]:
        state = self.ledger.view()
        waiting = [
            item
            for item in waiting_tasks(state, self.settings, self.now())
            if options.selects(item) and (not options.only_tried or _is_tried(state, item.task.id))
        ]
        due = due_by_plan(waiting, self.now(), is_flush=options.is_flush)
        plans = {plan.id: plan for plan in state.plans}
        left = options.max_tasks
        resubmissions: list[Resubmission] = []
        for plan, readings in due.items():
            chosen = dict(list(readings.items())[:left])
            left = left - len(chosen) if left is not None else None
            if chosen:
                resubmissions.append(
                    Resubmission(plans[plan], frozenset(chosen), _reason(state, chosen))
                )
        return resubmissions


def _is_tried(state: LedgerState, task: TaskId) -> bool:
    return any(row.request.purpose != "verify" for row in state.requests.of_task(task))


def _reason(state: LedgerState, readings: dict[TaskId, TaskReading]) -> str | None:
    """A word of the ledger's files, if all the tasks were tried before."""
    if not all(_is_tried(state, task) for task in readings):
        return None
    return "split" if all(reading.is_solo for reading in readings.values()) else "retry"
