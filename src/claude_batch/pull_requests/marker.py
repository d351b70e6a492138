"""The hidden mark by which we know our own comments again.

It is read from the last line only: code that a suggestion quotes may hold the same letters, and
a reply that cites a comment of ours ends in something else.
"""

import re

LIMIT = 60_000  # GitHub refuses bodies above 65,536 characters
SUMMARY = "summary"
KEY = re.compile(r"[0-9a-f]{16}|summary")
LINE = re.compile(r"<!-- claude-batch:(?:finding:([0-9a-f]{16})|(summary)) -->")


def marked(text: str, key: str) -> str:
    """`text` as a body of ours; `key` is a fingerprint or SUMMARY. Raises ValueError."""
    if not KEY.fullmatch(key):
        raise ValueError(f"not a fingerprint: {key!r}")
    name = key if key == SUMMARY else f"finding:{key}"
    body = f"{text.rstrip()}\n\n<!-- claude-batch:{name} -->"
    if len(body) > LIMIT:
        raise ValueError(f"a body of {len(body)} characters")
    return body


def read(body: str) -> str | None:
    """The key of a body of ours, or None."""
    rows = body.rstrip().rsplit("\n", 1)
    match = LINE.fullmatch(rows[-1].rstrip())
    return (match[1] or match[2]) if match else None
