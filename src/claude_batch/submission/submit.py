"""`submit`: diff → tasks → minus known → estimate, budget → batches. `estimate` is it, unsent."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.batches.batching import PreparedRequest
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import LedgerState
from claude_batch.submission import token_counting as counting
from claude_batch.submission.planner import SubmissionPlanner, SubmitResult
from claude_batch.submission.scope import ReviewScope
from claude_batch.submission.send import BatchSender, PrimerWait


def estimate(
    scope: ReviewScope, planner: SubmissionPlanner, ledger: Ledger, anthropic: AnthropicClient
) -> SubmitResult:
    """What `submit` would do. Raises BudgetExceeded as it would."""
    view = ledger.view()
    claim = _informed(scope, planner, view, anthropic).plan(view, scope)
    if claim.refused:
        raise claim.refused
    return SubmitResult(claim, planner.config.lane)


def submit(
    scope: ReviewScope,
    planner: SubmissionPlanner,
    ledger: Ledger,
    anthropic: AnthropicClient,
    now: Callable[[], datetime],
    primer_wait: PrimerWait | None = None,
) -> SubmitResult:
    """Claim in the ledger, send, record. What is claimed is in the ledger before it costs.

    `hold`: how a claimant that goes on waits between a primer and what follows it.
    """
    planner = _informed(scope, planner, ledger.view(), anthropic)
    sender = BatchSender(ledger, anthropic, planner.prices, now, primer_wait)
    claim = sender.claim(lambda view: planner.plan(view, scope))
    if claim.refused:
        raise claim.refused
    return SubmitResult(claim, planner.config.lane, tuple(sender.send(claim.batches)))


def _informed(
    subject: ReviewScope, claimant: SubmissionPlanner, view: LedgerState, claude: AnthropicClient
) -> SubmissionPlanner:
    """With what the service counts, where no answers say yet how many tokens a length has."""
    if counting.has_token_history(view, claimant.config):
        return claimant
    drafts = claimant.plan(view, subject).requests()
    return replace(claimant, token_ratios=counting.token_ratios(_counted(drafts, claude)))


def _counted(
    drafts: Iterable[PreparedRequest], claude: AnthropicClient
) -> Iterator[tuple[PreparedRequest, int]]:
    """Until nobody answers."""
    for draft in counting.choose_sample(drafts):
        tokens = claude.count_tokens(counting.counting_params(draft.body.read()))
        if tokens is None:
            return
        yield draft, tokens
