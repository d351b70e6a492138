"""The one place that reads the process environment; everything else is handed a mapping."""

import os


def environment() -> dict[str, str]:
    return dict(os.environ)
