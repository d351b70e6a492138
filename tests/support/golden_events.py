"""The recorded lines of the ledger format, version 2."""

from pathlib import Path
from typing import get_args

from claude_batch.ledger.events import FORMAT, Event, KnownEvent

GOLDEN = Path(__file__).parents[1] / "ledger" / "golden" / f"events-{FORMAT}.jsonl"


LINES = GOLDEN.read_bytes().splitlines()


TYPES: tuple[type[Event], ...] = get_args(get_args(KnownEvent)[0])


def golden_line(event_type: str) -> bytes:
    """The first recorded line of this type."""
    return next(line for line in LINES if line.startswith(b'{"type":"%b"' % event_type.encode()))
