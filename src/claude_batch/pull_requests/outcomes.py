"""The outcomes of posted findings, and how many of them people accepted."""

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

# A thread that a person resolved without a reply may mean either, so it counts as undecided.
SHOWN_OUTCOMES = ACCEPTED | REJECTED | {"posted", "resolved", "deleted"}


def final_outcome(signals: Sequence[FeedbackRecorded], posts: Sequence[Post]) -> str | None:
    """The outcome of one fingerprint, None if it was never posted. Both lists: oldest first."""
    kinds = [signal.what for signal in signals]
    # An opinion outweighs a change of the code, and that outweighs a thread resolved without reply.
    opinions = [kind for kind in kinds if kind in OPINIONS]
    if opinions:
        return opinions[-1]
    if "applied" in kinds:
        return "applied"
    if posts and posts[-1].state == "resolved":
        return "fixed"
    return "resolved" if "resolved" in kinds else (posts[-1].state if posts else None)


@dataclass(frozen=True, slots=True)
class Precision:
    """The counts of posted findings of one kind and severity."""

    kind: str
    severity: Severity
    posted: int
    accepted: int
    rejected: int

    @property
    def share(self) -> Decimal | None:
        """The accepted ones among those with an opinion, None without any."""
        judged = self.accepted + self.rejected
        if not judged:
            return None
        exact = Decimal(self.accepted) / judged
        return exact.quantize(Decimal("0.001"), ROUND_HALF_UP)


def compute_precision(rows: Iterable[tuple[Finding, str]]) -> list[Precision]:
    """Count findings with their outcomes, each fingerprint once."""
    seen: Mapping[str, tuple[Finding, str]] = {
        finding.fingerprint: (finding, outcome)
        for finding, outcome in rows
        if outcome in SHOWN_OUTCOMES
    }
    groups: dict[tuple[str, Severity], list[str]] = {}
    for finding, outcome in seen.values():
        groups.setdefault((finding.kind, finding.severity), []).append(outcome)
    return [
        Precision(
            kind,
            severity,
            len(outcomes),
            sum(outcome in ACCEPTED for outcome in outcomes),
            sum(outcome in REJECTED for outcome in outcomes),
        )
        for (kind, severity), outcomes in sorted(
            groups.items(), key=lambda group: (group[0][0], group[0][1].rank)
        )
    ]


@dataclass(frozen=True)
class FindingOutcomeRow:
    finding: Finding
    pull_requests: tuple[int, ...]
    outcome: str  # fixed, posted, deleted, refuted, unposted, unplaced, malformed, or a signal's


def list_findings(ledgers: Sequence[Ledger]) -> list[FindingOutcomeRow]:
    """All recorded findings, the most severe first."""
    # The shared ledger is the last: it may have a copy of a local finding, and its outcome.
    rows = {row.finding.id: row for ledger in ledgers for row in _findings_in(ledger)}
    return sorted(rows.values(), key=lambda row: (row.finding.severity.rank, row.finding.path))


def _findings_in(ledger: Ledger) -> Iterator[FindingOutcomeRow]:
    state = ledger.view()
    yield from find_outcomes(state, ledger.findings(answer for _, answer in state.answers()))


def find_outcomes(state: LedgerState, findings: Iterable[Finding]) -> Iterator[FindingOutcomeRow]:
    statuses = status_by_finding(state)
    for finding in findings:
        pulls = tuple(sorted({pr for pr, key in state.posts if key == finding.fingerprint}))
        yield FindingOutcomeRow(
            finding, pulls, _outcome(state, finding, pulls, statuses.get(finding.id))
        )


def _outcome(
    state: LedgerState, finding: Finding, pulls: Sequence[int], status: VerificationStatus | None
) -> str:
    signals = [signal for signal in state.feedback if signal.fingerprint == finding.fingerprint]
    outcome = final_outcome(signals, [state.posts[(pr, finding.fingerprint)] for pr in pulls])
    if finding.is_malformed:
        return "malformed"
    if status is VerificationStatus.REFUTED and not outcome:
        return "refuted"
    return outcome or ("unplaced" if finding.task is None else "unposted")
