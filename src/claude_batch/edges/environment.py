"""The one place that reads the process environment; everything else is handed a mapping."""

import os
from collections.abc import Mapping


def environment() -> Mapping[str, str]:
    return dict(os.environ)
