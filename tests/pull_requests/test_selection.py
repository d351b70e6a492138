from claude_batch.diff.model import Side
from claude_batch.findings.finding import Category, Confidence, Severity
from claude_batch.findings.placement import DroppedFinding
from claude_batch.pull_requests.selection import Selection, select_findings
from claude_batch.verification.outcomes import VerificationState
from responses import placed


def test_what_is_worth_most_comes_first_and_the_rest_is_folded() -> None:
    low = placed(1, (1, 1), severity=Severity.LOW)
    unsure = placed(2, (2, 2), severity=Severity.HIGH, confidence=Confidence.MEDIUM)
    sure = placed(3, (3, 3), severity=Severity.HIGH)
    grave = placed(4, (4, 4), severity=Severity.CRITICAL, confidence=Confidence.LOW)
    assert select_findings([low, unsure, sure, grave], max_comments=2, silenced=()) == Selection(
        [sure, grave], [unsure, low], []
    )


def test_what_is_said_twice_is_said_once_by_the_graver() -> None:
    mild = placed(1, (10, 12), severity=Severity.MEDIUM)
    grave = placed(2, (12, 14), severity=Severity.HIGH)
    other_category = placed(3, (12, 12), category=Category.DOCS)
    other_side = placed(4, (12, 12), side=Side.LEFT)
    next_lines = placed(5, (15, 15))
    twin = placed(6, (90, 90), fingerprint=grave.finding.fingerprint)
    chosen = select_findings(
        [mild, grave, other_category, other_side, next_lines, twin], max_comments=9, silenced=()
    )
    assert chosen.inline == [grave, other_category, other_side, next_lines]
    assert chosen.dropped == [
        DroppedFinding(mild.finding, "duplicate"),
        DroppedFinding(twin.finding, "duplicate"),
    ]


def test_what_is_refuted_silenced_or_faint_is_dropped() -> None:
    faint = placed(3, (3, 3), severity=Severity.LOW, confidence=Confidence.LOW)
    chosen = select_findings(
        [placed(1), placed(2, (9, 9)), faint],
        max_comments=5,
        silenced={placed(1).finding.fingerprint},
        verification=VerificationState(refuted=frozenset({placed(2).finding.id})),
    )
    assert chosen == Selection(
        [],
        [],
        [
            DroppedFinding(placed(1).finding, "silenced"),
            DroppedFinding(placed(2).finding, "refuted"),
            DroppedFinding(faint.finding, "low_confidence"),
        ],
    )
