"""`submit`: diff → tasks → minus known → estimate, budget → batches. `estimate` is it, unsent."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from claude_batch.anthropic_api.client import Claude
from claude_batch.batches.batching import Draft
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import View
from claude_batch.submission import token_counting as counting
from claude_batch.submission.planner import Claimant, Submission
from claude_batch.submission.scope import Subject
from claude_batch.submission.send import Hold, Sender


def estimate(subject: Subject, claimant: Claimant, ledger: Ledger, claude: Claude) -> Submission:
    """What `submit` would do. Raises BudgetExceeded as it would."""
    view = ledger.view()
    claim = _informed(subject, claimant, view, claude).claim(view, subject)
    if claim.refused:
        raise claim.refused
    return Submission(claim, claimant.config.lane)


def submit(
    subject: Subject,
    claimant: Claimant,
    ledger: Ledger,
    claude: Claude,
    now: Callable[[], datetime],
    hold: Hold | None = None,
) -> Submission:
    """Claim in the ledger, send, record. What is claimed is in the ledger before it costs.

    `hold`: how a claimant that goes on waits between a primer and what follows it.
    """
    claimant = _informed(subject, claimant, ledger.view(), claude)
    sender = Sender(ledger, claude, claimant.prices, now, hold)
    claim = sender.claim(lambda view: claimant.claim(view, subject))
    if claim.refused:
        raise claim.refused
    return Submission(claim, claimant.config.lane, tuple(sender.send_all(claim.parcels)))


def _informed(subject: Subject, claimant: Claimant, view: View, claude: Claude) -> Claimant:
    """With what the service counts, where no answers say yet how many tokens a length has."""
    if counting.is_known(view, claimant.config):
        return claimant
    drafts = claimant.claim(view, subject).drafts()
    return replace(claimant, counted=counting.ratios(_counted(drafts, claude)))


def _counted(drafts: Iterable[Draft], claude: Claude) -> Iterator[tuple[Draft, int]]:
    """Until nobody answers."""
    for draft in counting.sample(drafts):
        tokens = claude.count(counting.question(draft.body.read()))
        if tokens is None:
            return
        yield draft, tokens
