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
    subject: ReviewScope, claimant: SubmissionPlanner, ledger: Ledger, claude: AnthropicClient
) -> SubmitResult:
    """What `submit` would do. Raises BudgetExceeded as it would."""
    view = ledger.view()
    claim = _informed(subject, claimant, view, claude).plan(view, subject)
    if claim.refused:
        raise claim.refused
    return SubmitResult(claim, claimant.config.lane)


def submit(
    subject: ReviewScope,
    claimant: SubmissionPlanner,
    ledger: Ledger,
    claude: AnthropicClient,
    now: Callable[[], datetime],
    hold: PrimerWait | None = None,
) -> SubmitResult:
    """Claim in the ledger, send, record. What is claimed is in the ledger before it costs.

    `hold`: how a claimant that goes on waits between a primer and what follows it.
    """
    claimant = _informed(subject, claimant, ledger.view(), claude)
    sender = BatchSender(ledger, claude, claimant.prices, now, hold)
    claim = sender.claim(lambda view: claimant.plan(view, subject))
    if claim.refused:
        raise claim.refused
    return SubmitResult(claim, claimant.config.lane, tuple(sender.send(claim.parcels)))


def _informed(
    subject: ReviewScope, claimant: SubmissionPlanner, view: LedgerState, claude: AnthropicClient
) -> SubmissionPlanner:
    """With what the service counts, where no answers say yet how many tokens a length has."""
    if counting.is_known(view, claimant.config):
        return claimant
    drafts = claimant.plan(view, subject).drafts()
    return replace(claimant, counted=counting.ratios(_counted(drafts, claude)))


def _counted(
    drafts: Iterable[PreparedRequest], claude: AnthropicClient
) -> Iterator[tuple[PreparedRequest, int]]:
    """Until nobody answers."""
    for draft in counting.sample(drafts):
        tokens = claude.count(counting.question(draft.body.read()))
        if tokens is None:
            return
        yield draft, tokens
