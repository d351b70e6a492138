"""The hidden HTML comment that marks a comment as ours and names its finding."""

import re

MAX_BODY = 60_000  # GitHub refuses bodies above 65,536 characters
SUMMARY = "summary"
KEY = re.compile(r"[0-9a-f]{16}|summary")
MARKER_LINE = re.compile(r"<!-- claude-batch:(?:finding:([0-9a-f]{16})|(summary)) -->")


def append_marker(text: str, key: str) -> str:
    """`text` with the marker of `key`, a fingerprint or SUMMARY. Raises ValueError."""
    if not KEY.fullmatch(key):
        raise ValueError(f"not a fingerprint: {key!r}")
    name = key if key == SUMMARY else f"finding:{key}"
    body = f"{text.rstrip()}\n\n<!-- claude-batch:{name} -->"
    if len(body) > MAX_BODY:
        raise ValueError(f"a body of {len(body)} characters")
    return body


def read(body: str) -> str | None:
    """The key of a marked body, or None."""
    # The last line only: a suggestion may quote code that contains a marker, and a reply that
    # quotes a comment of ours ends differently.
    last_line = body.rstrip().rsplit("\n", 1)[-1]
    match = MARKER_LINE.fullmatch(last_line.rstrip())
    return (match[1] or match[2]) if match else None
