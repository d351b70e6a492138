"""`submit`: diff → tasks → minus known → estimate, budget → batches. `estimate` is it, unsent."""

from collections.abc import Callable
from datetime import datetime

from claude_batch.edges.claude import Claude
from claude_batch.ledger import Ledger, View, Write
from claude_batch.sender import Sender
from claude_batch.submission import Claim, Claimant, Subject, Submission


def estimate(subject: Subject, claimant: Claimant, ledger: Ledger) -> Submission:
    """What `submit` would do. Raises BudgetExceeded as it would."""
    claim = claimant.claim(ledger.view(), subject)
    if claim.refused:
        raise claim.refused
    return Submission(claim, claimant.config.lane)


def submit(
    subject: Subject,
    claimant: Claimant,
    ledger: Ledger,
    claude: Claude,
    now: Callable[[], datetime],
) -> Submission:
    """Claim in the ledger, send, record. What is claimed is in the ledger before it costs."""
    claim = _claim(subject, claimant, ledger, claude)
    if claim.refused:
        raise claim.refused
    sender = Sender(ledger, claude, claimant.prices, now)
    return Submission(claim, claimant.config.lane, tuple(sender.send_all(claim.parcels)))


def _claim(subject: Subject, claimant: Claimant, ledger: Ledger, claude: Claude) -> Claim:
    claims: list[Claim] = []

    def decide(view: View) -> Write:
        claims.append(claimant.claim(view, subject))
        if claims[-1].parcels:
            claude.check_key()  # without one nothing can be sent, so nothing is claimed
        return claims[-1].write

    ledger.transact(decide)
    return claims[-1]
