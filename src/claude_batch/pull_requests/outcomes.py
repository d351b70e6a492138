"""How often we were right, as far as people said so: what became of findings that were posted."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from claude_batch.findings.finding import Finding, Severity
from claude_batch.ledger.events import FeedbackRecorded, Post
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import LedgerState
from claude_batch.verification.outcomes import VerificationStatus, status_by_finding

OPINIONS = ("thumbs_up", "thumbs_down", "wontfix")
ACCEPTED = frozenset({"thumbs_up", "applied", "fixed"})
REJECTED = frozenset({"thumbs_down", "wontfix"})

# A thread that a person resolved without a word may mean either, so it counts as undecided.
SHOWN = ACCEPTED | REJECTED | {"posted", "resolved", "deleted"}


def outcome(signals: Sequence[FeedbackRecorded], posts: Sequence[Post]) -> str | None:
    """Of one fingerprint, both oldest first. None: nobody has seen it. What a person said
    outweighs what the code says, and that outweighs a thread resolved without a word."""
    words = [one.what for one in signals]
    said = [word for word in words if word in OPINIONS]
    if said:
        return said[-1]
    if "applied" in words:
        return "applied"
    if posts and posts[-1].state == "resolved":
        return "fixed"
    return "resolved" if "resolved" in words else (posts[-1].state if posts else None)


@dataclass(frozen=True, slots=True)
class Precision:
    """Of one kind and severity. `share` is of those that somebody judged, None where nobody did."""

    kind: str
    severity: Severity
    posted: int
    accepted: int
    rejected: int

    @property
    def share(self) -> Decimal | None:
        judged = self.accepted + self.rejected
        if not judged:
            return None
        exact = Decimal(self.accepted) / judged
        return exact.quantize(Decimal("0.001"), ROUND_HALF_UP)


def precision(rows: Iterable[tuple[Finding, str]]) -> list[Precision]:
    """Findings with their outcomes; one that was said again counts once."""
    seen: Mapping[str, tuple[Finding, str]] = {
        finding.fingerprint: (finding, word) for finding, word in rows if word in SHOWN
    }
    groups: dict[tuple[str, Severity], list[str]] = {}
    for finding, word in seen.values():
        groups.setdefault((finding.kind, finding.severity), []).append(word)
    return [
        Precision(
            kind,
            severity,
            len(words),
            sum(word in ACCEPTED for word in words),
            sum(word in REJECTED for word in words),
        )
        for (kind, severity), words in sorted(
            groups.items(), key=lambda group: (group[0][0], group[0][1].rank)
        )
    ]


@dataclass(frozen=True)
class Found:
    finding: Finding
    pull_requests: tuple[int, ...]
    outcome: str  # fixed, posted, deleted, refuted, unposted, unplaced, malformed, or a signal's


def findings(ledgers: Sequence[Ledger]) -> list[Found]:
    rows = [found for ledger in ledgers for found in _in(ledger)]
    return sorted(rows, key=lambda row: (row.finding.severity.rank, row.finding.path))


def _in(ledger: Ledger) -> Iterator[Found]:
    view = ledger.view()
    judged = status_by_finding(view)
    for finding in ledger.findings(answered for _, answered in view.answers()):
        pulls = tuple(sorted({pr for pr, key in view.posts if key == finding.fingerprint}))
        yield Found(finding, pulls, _outcome(view, finding, pulls, judged.get(finding.id)))


def _outcome(
    view: LedgerState, finding: Finding, pulls: Sequence[int], look: VerificationStatus | None
) -> str:
    signals = [one for one in view.signals if one.fingerprint == finding.fingerprint]
    found = outcome(signals, [view.posts[(pr, finding.fingerprint)] for pr in pulls])
    if finding.is_malformed:
        return "malformed"
    if look is VerificationStatus.REFUTED and not found:
        return "refuted"
    return found or ("unplaced" if finding.task is None else "unposted")
