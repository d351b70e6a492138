"""The Markdown of one review comment."""

from claude_batch.findings.finding import Finding, render_label
from claude_batch.findings.placement import PlacedFinding
from claude_batch.markdown import code_block, escape_block, escape_line
from claude_batch.pull_requests.marker import append_marker

MAX_SUGGESTION = 16_000


def render_comment(placed: PlacedFinding, *, unverified: bool = False) -> str:
    """The body with its hidden marker. `unverified`: its second look did not come in time."""
    finding = placed.finding
    parts = [
        render_label(finding, unverified=unverified),
        f"**{escape_line(finding.title)}**",
        escape_block(finding.body),
    ]
    if placed.suggestion is not None:
        parts.append(_suggestion(finding, placed.suggestion))
    return append_marker("\n\n".join(part for part in parts if part), finding.fingerprint)


def _suggestion(finding: Finding, text: str) -> str:
    if len(text) > MAX_SUGGESTION:
        lines = text.count("\n")
        return (
            f"A replacement of {lines:,} lines is too long to show here; "
            f"`claude-batch apply {finding.id}` applies it."
        )
    return code_block(text, "suggestion")
