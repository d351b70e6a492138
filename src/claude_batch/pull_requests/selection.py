"""Select the findings to post, and split them into inline comments and the summary."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from claude_batch.diff.model import Side
from claude_batch.findings.finding import Category, Confidence, Finding, Severity
from claude_batch.findings.placement import DroppedFinding, PlacedFinding
from claude_batch.verification.outcomes import (
    POST_WHEN_UNVERIFIED,
    UNVERIFIED_ALLOWED,
    VerificationState,
)


class Selection(NamedTuple):
    inline: list[PlacedFinding]
    summarized: list[PlacedFinding]
    dropped: list[DroppedFinding]
    waiting: tuple[PlacedFinding, ...] = ()  # for their second look


def select_findings(
    findings: Iterable[PlacedFinding],
    *,
    max_comments: int,
    silenced: Collection[str],
    verification: VerificationState = UNVERIFIED_ALLOWED,
) -> Selection:
    """The `max_comments` findings with the highest score are inline, the others in the summary.

    `silenced` are fingerprints. Unverified findings of low severity are never inline. A finding
    that waits for its second look keeps its place among the inline ones.
    """
    kept: list[PlacedFinding] = []
    dropped: list[DroppedFinding] = []
    duplicates = _Duplicates()
    for candidate in sorted(findings, key=_by_score):
        finding = candidate.finding
        if finding.id in verification.refuted:
            dropped.append(DroppedFinding(finding, "refuted"))
        elif finding.fingerprint in silenced:
            dropped.append(DroppedFinding(finding, "silenced"))
        elif finding.is_negligible:
            dropped.append(DroppedFinding(finding, "low_confidence"))
        elif duplicates.includes(candidate):
            dropped.append(DroppedFinding(finding, "duplicate"))
        else:
            kept.append(candidate)
    candidates = [placed for placed in kept if _may_be_inline(placed.finding, verification)]
    inline = candidates[:max_comments]
    waiting = tuple(placed for placed in kept if placed.finding.id in verification.waiting)
    return Selection(
        [placed for placed in inline if placed not in waiting],
        [placed for placed in kept if placed not in inline and placed not in waiting],
        dropped,
        waiting,
    )


def _may_be_inline(finding: Finding, verification: VerificationState) -> bool:
    return finding.id not in verification.unverified or finding.severity in POST_WHEN_UNVERIFIED


def _score(placed: PlacedFinding) -> int:
    """The value of posting a finding: its confidence, doubled for each step of severity."""
    severity = placed.finding.severity
    confidence = list(Confidence).index(placed.finding.confidence)
    return (len(Confidence) - confidence) << (len(Severity) - severity.rank)


def _by_score(placed: PlacedFinding) -> tuple[int, int, str, int, str]:
    finding = placed.finding
    return -_score(placed), finding.severity.rank, placed.path, placed.first_line, finding.id


class _Duplicates:
    """Findings seen so far: two with one fingerprint, or with one category on overlapping lines,
    are duplicates."""

    def __init__(self) -> None:
        self.fingerprints: set[str] = set()
        self.spans: dict[tuple[str, Side, Category], list[range]] = {}

    def includes(self, placed: PlacedFinding) -> bool:
        """True if a duplicate was seen; else `placed` is remembered."""
        finding = placed.finding
        spans = self.spans.setdefault((placed.path, placed.side, finding.category), [])
        span = range(placed.first_line, placed.line + 1)
        overlaps = any(span.start < other.stop and other.start < span.stop for other in spans)
        if overlaps or finding.fingerprint in self.fingerprints:
            return True
        self.fingerprints.add(finding.fingerprint)
        spans.append(span)
        return False
