"""Lines of text that several results share: the same in a terminal and in a log."""

from collections.abc import Sequence
from datetime import UTC, datetime

from claude_batch.findings.finding import Finding

SHOWN_FILES = 20


def format_time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def finding_line(finding: Finding, place: str = "") -> str:
    """`place` is a path with a line; by default the path at the reviewed commit."""
    where = place or finding.path
    return f"{finding.id}  {where}  {finding.severity} {finding.category}: {finding.title}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *figures in rows:
        right = (text.rjust(width) for text, width in zip(figures, widths[1:], strict=True))
        lines.append("  ".join([name.ljust(widths[0]), *right]).rstrip())
    return "\n".join(lines)
