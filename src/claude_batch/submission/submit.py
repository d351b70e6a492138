"""`submit`: plan a submission, record it in the ledger and send it. `estimate` only plans."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import LedgerState
from claude_batch.submission import token_counting
from claude_batch.submission.flush import Submission, plan_flush
from claude_batch.submission.planner import SubmissionPlanner, SubmitResult
from claude_batch.submission.scope import ReviewScope
from claude_batch.submission.send import BatchSender, PrimerWait


def estimate(
    scope: ReviewScope, planner: SubmissionPlanner, ledger: Ledger, anthropic: AnthropicClient
) -> SubmitResult:
    """Plan without sending. Raises BudgetExceeded as `submit` does."""
    state = ledger.view()
    plan = _with_token_ratios(scope, planner, state, anthropic).plan(state, scope)
    if plan.refused:
        raise plan.refused
    return SubmitResult(plan, plan.lane)


def submit(
    scope: ReviewScope,
    planner: SubmissionPlanner,
    ledger: Ledger,
    anthropic: AnthropicClient,
    now: Callable[[], datetime],
    primer_wait: PrimerWait | None = None,
    *,
    despite_damage: bool = False,
) -> SubmitResult:
    """Plan a submission, record it and send it. Raises BudgetExceeded, CannotSubmit, CannotRecord.

    With `primer_wait` this process waits for primers and sends the requests that follow them.
    Unless `despite_damage`, nothing is sent while events that cost money are unreadable.
    """
    # The claim is in the ledger before anything costs money, so that no other run sends the same.
    planner = _with_token_ratios(scope, planner, ledger.view(), anthropic)
    sender = BatchSender(ledger, anthropic, planner.prices, now, primer_wait, despite_damage)
    submission = Submission(planner, scope)
    flush = sender.claim(lambda state: plan_flush(state, [submission], anthropic.key_scope))
    (plan,) = flush.parts
    if plan.refused:
        raise plan.refused
    return SubmitResult(plan, plan.lane, tuple(sender.send(flush.batches)))


def _with_token_ratios(
    scope: ReviewScope, planner: SubmissionPlanner, state: LedgerState, anthropic: AnthropicClient
) -> SubmissionPlanner:
    """The planner with counts of the API, if no answers tell how many tokens a length has."""
    if token_counting.has_token_history(state, planner.config):
        return planner
    requests = planner.plan(state, scope).requests
    counted = token_counting.count_sample(requests, anthropic)
    return replace(planner, token_ratios=token_counting.token_ratios(counted))
