"""The one comment on a merged pull request: grave findings that came after the merge."""

from collections.abc import Sequence

from claude_batch.findings.finding import Severity, render_label
from claude_batch.findings.placement import PlacedFinding
from claude_batch.formatting import count
from claude_batch.ledger.view import LedgerState
from claude_batch.markdown import code_span, escape_line
from claude_batch.pull_requests.comment import MERGED, append_marker
from claude_batch.pull_requests.review_input import ReviewInput

GRAVE = (Severity.CRITICAL, Severity.HIGH)


def find_late_findings(review: ReviewInput, state: LedgerState) -> list[PlacedFinding]:
    """The confirmed findings of critical or high severity that were not posted yet."""
    number = review.pull_request.pull.number
    return [
        placed
        for placed in (*review.selection.inline, *review.selection.summarized)
        if placed.finding.severity in GRAVE
        and placed.finding.id not in review.verification.unverified
        and (number, placed.finding.fingerprint) not in state.posts
    ]


def render_late_findings(findings: Sequence[PlacedFinding]) -> str:
    """The Markdown of the comment."""
    rows = (
        f"- {code_span(placed.line_range)} {render_label(placed.finding)}: "
        f"**{escape_line(placed.finding.title)}** {escape_line(placed.finding.body, 600)}"
        for placed in findings
    )
    opening = (
        f"This was merged before its review was finished. {count(len(findings), 'finding')} of "
        "high or critical severity came since:"
    )
    parts = ["## claude-batch", opening, "\n".join(rows), "`claude-batch findings` lists all."]
    return append_marker("\n\n".join(parts), MERGED)
