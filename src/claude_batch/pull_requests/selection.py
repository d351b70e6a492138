"""Which findings are worth saying, and which of them as comments of their own."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from claude_batch.diff.model import Side
from claude_batch.findings.finding import Category, Confidence, Finding, Severity
from claude_batch.findings.placement import Dropped, Placed
from claude_batch.verification.outcomes import (
    POST_WHEN_UNVERIFIED,
    UNVERIFIED_ALLOWED,
    VerificationState,
)


class Selection(NamedTuple):
    inline: list[Placed]
    summarized: list[Placed]
    dropped: list[Dropped]
    waiting: tuple[Placed, ...] = ()  # for a second look


def select_findings(
    placed: Iterable[Placed],
    *,
    max_comments: int,
    silenced: Collection[str],
    trust: VerificationState = UNVERIFIED_ALLOWED,
) -> Selection:
    """`silenced` are fingerprints. The worthiest `max_comments` come inline, the others are folded,
    as is what is unverified and not grave. What waits keeps its place: no other takes it."""
    kept: list[Placed] = []
    dropped: list[Dropped] = []
    said = _Duplicates()
    for one in sorted(placed, key=_worthiest_first):
        finding = one.finding
        if finding.id in trust.refuted:
            dropped.append(Dropped(finding, "refuted"))
        elif finding.fingerprint in silenced:
            dropped.append(Dropped(finding, "silenced"))
        elif finding.is_faint:
            dropped.append(Dropped(finding, "low_confidence"))
        elif said.already(one):
            dropped.append(Dropped(finding, "duplicate"))
        else:
            kept.append(one)
    able = [one for one in kept if _may_be_inline(one.finding, trust)]
    inline = able[:max_comments]
    waiting = tuple(one for one in kept if one.finding.id in trust.waiting)
    return Selection(
        [one for one in inline if one not in waiting],
        [one for one in kept if one not in inline and one not in waiting],
        dropped,
        waiting,
    )


def _may_be_inline(finding: Finding, trust: VerificationState) -> bool:
    return finding.id not in trust.unverified or finding.severity in POST_WHEN_UNVERIFIED


def _score(one: Placed) -> int:
    """The expected value of saying it: twice as much for each step of severity, times how likely
    it is to be right."""
    severity, confidence = one.finding.severity, list(Confidence).index(one.finding.confidence)
    return (len(Confidence) - confidence) << (len(Severity) - severity.rank)


def _worthiest_first(one: Placed) -> tuple[int, int, str, int, str]:
    return -_score(one), one.finding.severity.rank, one.path, one.first_line, one.finding.id


class _Duplicates:
    """The same fingerprint, or the same category on lines that overlap, is the same thing."""

    def __init__(self) -> None:
        self.fingerprints: set[str] = set()
        self.spans: dict[tuple[str, Side, Category], list[range]] = {}

    def already(self, one: Placed) -> bool:
        """Remembers `one` if not."""
        spans = self.spans.setdefault((one.path, one.side, one.finding.category), [])
        span = range(one.first_line, one.line + 1)
        overlaps = any(span.start < other.stop and other.start < span.stop for other in spans)
        if overlaps or one.finding.fingerprint in self.fingerprints:
            return True
        self.fingerprints.add(one.finding.fingerprint)
        spans.append(span)
        return False
