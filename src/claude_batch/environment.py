"""Read the process environment. All other modules get a mapping as an argument."""

import os


def environment() -> dict[str, str]:
    return dict(os.environ)
