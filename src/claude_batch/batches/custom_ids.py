"""batches/custom_ids."""

import re

from claude_batch.ledger.events import IntentId

CUSTOM_ID = re.compile(r"[^-]+-([0-9]{1,9})-[0-9a-f]*", re.ASCII)


def custom_id(intent: IntentId, n: int, sha: str) -> str:
    """At most 64 characters of [a-zA-Z0-9_-]: which intent, which request, which bytes."""
    return f"{intent}-{n}-{sha[:16]}"


def number_in(custom_id: str) -> int | None:
    """The place in its intent that a custom_id claims; None: it is none of ours."""
    match = CUSTOM_ID.fullmatch(custom_id)
    return int(match[1]) if match else None
