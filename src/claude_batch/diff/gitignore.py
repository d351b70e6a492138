"""Patterns of paths as in .gitignore."""

import re
from collections.abc import Sequence

import pathspec


class BadPattern(ValueError):
    """The message names the pattern."""


def parse_gitignore(patterns: Sequence[str]) -> pathspec.GitIgnoreSpec:
    """Parse patterns. Raises BadPattern."""
    for pattern in patterns:
        try:
            pathspec.GitIgnoreSpec.from_lines([pattern])
        except (ValueError, re.error) as error:
            raise BadPattern(f'"{pattern}" is not a pattern of paths') from error
    return pathspec.GitIgnoreSpec.from_lines(patterns)
