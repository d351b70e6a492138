"""`findings`: every finding that the ledger holds, and what became of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from claude_batch.finding import Finding
from claude_batch.ledger import Ledger, View
from claude_batch.precision import outcome
from claude_batch.second_look import Look, looks


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
    judged = looks(view)
    for finding in ledger.findings(answered for _, answered in view.answers()):
        pulls = tuple(sorted({pr for pr, key in view.posts if key == finding.fingerprint}))
        yield Found(finding, pulls, _outcome(view, finding, pulls, judged.get(finding.id)))


def _outcome(view: View, finding: Finding, pulls: Sequence[int], look: Look | None) -> str:
    signals = [one for one in view.signals if one.fingerprint == finding.fingerprint]
    found = outcome(signals, [view.posts[(pr, finding.fingerprint)] for pr in pulls])
    if finding.is_malformed:
        return "malformed"
    if look is Look.REFUTED and not found:
        return "refuted"
    return found or ("unplaced" if finding.task is None else "unposted")
