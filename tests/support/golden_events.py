"""The recorded lines of the ledger format, version 1."""

from pathlib import Path
from typing import get_args

from claude_batch.ledger.events import SCHEMA, AnyEvent, Event

GOLDEN = Path(__file__).parents[1] / "ledger" / "golden" / f"events-{SCHEMA}.jsonl"


LINES = GOLDEN.read_bytes().splitlines()


TYPES: tuple[type[Event], ...] = get_args(get_args(AnyEvent)[0])
