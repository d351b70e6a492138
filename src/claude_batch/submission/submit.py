"""`submit`: plan a submission, record it in the ledger and send it. `estimate` only plans."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.batches.batching import PreparedRequest
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import LedgerState
from claude_batch.submission import token_counting
from claude_batch.submission.planner import SubmissionPlanner, SubmitResult
from claude_batch.submission.scope import ReviewScope
from claude_batch.submission.send import BatchSender, PrimerWait


def estimate(
    scope: ReviewScope, planner: SubmissionPlanner, ledger: Ledger, anthropic: AnthropicClient
) -> SubmitResult:
    """Plan without sending. Raises BudgetExceeded as `submit` does."""
    state = ledger.view()
    plan = _informed(scope, planner, state, anthropic).plan(state, scope)
    if plan.refused:
        raise plan.refused
    return SubmitResult(plan, planner.config.lane)


def submit(
    scope: ReviewScope,
    planner: SubmissionPlanner,
    ledger: Ledger,
    anthropic: AnthropicClient,
    now: Callable[[], datetime],
    primer_wait: PrimerWait | None = None,
) -> SubmitResult:
    """Plan a submission, record it and send it. Raises BudgetExceeded, CannotSubmit.

    With `primer_wait` this process waits for primers and sends the requests that follow them.
    """
    # The claim is in the ledger before anything costs money, so that no other run sends the same.
    planner = _informed(scope, planner, ledger.view(), anthropic)
    sender = BatchSender(ledger, anthropic, planner.prices, now, primer_wait)
    plan = sender.claim(lambda state: planner.plan(state, scope))
    if plan.refused:
        raise plan.refused
    return SubmitResult(plan, planner.config.lane, tuple(sender.send(plan.batches)))


def _informed(
    scope: ReviewScope, planner: SubmissionPlanner, state: LedgerState, anthropic: AnthropicClient
) -> SubmissionPlanner:
    """With what the service counts, where no answers say yet how many tokens a length has."""
    if token_counting.has_token_history(state, planner.config):
        return planner
    requests = planner.plan(state, scope).requests()
    return replace(planner, token_ratios=token_counting.token_ratios(_counted(requests, anthropic)))


def _counted(
    requests: Iterable[PreparedRequest], anthropic: AnthropicClient
) -> Iterator[tuple[PreparedRequest, int]]:
    """Until nobody answers."""
    for request in token_counting.choose_sample(requests):
        tokens = anthropic.count_tokens(token_counting.counting_params(request.body.read()))
        if tokens is None:
            return
        yield request, tokens
