"""Durations as people write them: 30m, 12h, 2d."""

import re
from datetime import timedelta

DURATION_PATTERN = r"^[0-9]{1,6}[mhd]$"
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_duration(text: str) -> timedelta | None:
    """None if the text is not a duration."""
    return int(text[:-1]) * UNITS[text[-1]] if re.search(DURATION_PATTERN, text) else None
