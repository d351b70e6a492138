"""The Markdown of one review comment, and the hidden marker that makes a comment ours."""

import re

from claude_batch.findings.finding import Finding, render_label
from claude_batch.findings.placement import PlacedFinding
from claude_batch.github_api.client import GitHubClient
from claude_batch.markdown import code_block, escape_block, escape_line

MAX_BODY = 60_000  # GitHub refuses bodies above 65,536 characters
MAX_SUGGESTION = 16_000
SUMMARY = "summary"
MERGED = "merged"  # the one comment after a merge
KEY = re.compile(r"[0-9a-f]{16}|summary|merged")
MARKER_LINE = re.compile(r"<!-- claude-batch:(?:finding:([0-9a-f]{16})|(summary|merged)) -->")


def render_comment(placed: PlacedFinding, *, unverified: bool = False) -> str:
    """The body with its hidden marker. `unverified`: its second look did not come in time."""
    finding = placed.finding
    parts = [
        render_label(finding, unverified=unverified),
        f"**{escape_line(finding.title)}**",
        escape_block(finding.body),
    ]
    if placed.suggestion is not None:
        parts.append(_render_suggestion(finding, placed.suggestion))
    return append_marker("\n\n".join(part for part in parts if part), finding.fingerprint)


def _render_suggestion(finding: Finding, text: str) -> str:
    if len(text) > MAX_SUGGESTION:
        lines = text.count("\n")
        return (
            f"A replacement of {lines:,} lines is too long to show here; "
            f"`claude-batch apply {finding.id}` applies it."
        )
    return code_block(text, "suggestion")


def append_marker(text: str, key: str) -> str:
    """`text` with the marker of `key`: a fingerprint, SUMMARY or MERGED. Raises ValueError."""
    if not KEY.fullmatch(key):
        raise ValueError(f"not a fingerprint: {key!r}")
    name = key if key in (SUMMARY, MERGED) else f"finding:{key}"
    body = f"{text.rstrip()}\n\n<!-- claude-batch:{name} -->"
    if len(body) > MAX_BODY:
        raise ValueError(f"a body of {len(body)} characters")
    return body


def read_marker(body: str) -> str | None:
    """The key of a marked body, or None."""
    # The last line only: a suggestion may quote code that contains a marker, and a reply that
    # quotes a comment of ours ends differently.
    last_line = body.rstrip().rsplit("\n", 1)[-1]
    match = MARKER_LINE.fullmatch(last_line.rstrip())
    return (match[1] or match[2]) if match else None


def has_our_comment(github: GitHubClient, number: int) -> bool:
    """True if we have commented on a pull request: then there has been a ledger."""
    login = github.get_login()
    return any(
        comment.login == login and read_marker(comment.body)
        for comment in github.list_comments(number)
    )
