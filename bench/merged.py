"""Pull requests that were merged, as the history of a main line tells them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from claude_batch.git.process import Git

SQUASHED = re.compile(r"\(#\d+\)$")
MERGED = re.compile(r"Merge (?:pull request|PR|branch|remote)")
Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Merged:
    """`base`: the tip of the main line right before."""

    base: str
    head: str
    title: str
    description: str
    squashed: bool = False  # its own commits are gone


def merged(git: Git) -> list[Merged]:
    """Oldest first: merge commits, and commits whose subject ends with (#NUMBER)."""
    form = "--format=%P%x00%H%x00%s%x00%b%x01"
    out = git.run("log", "--first-parent", "--reverse", form, "HEAD").out
    rows = out.decode("utf-8", "replace").split("\x01\n")
    return [pull for row in rows if (pull := _merged(row))]


def evenly(things: Sequence[Thing], most: int) -> list[Thing]:
    """The same ones every time, spread over all of them."""
    step = max(1, len(things) / most)
    return [things[int(at * step)] for at in range(min(most, len(things)))]


def _merged(row: str) -> Merged | None:
    if row.count("\x00") != 3:
        return None
    parents, commit, subject, body = row.split("\x00")
    base, *others = parents.split() or [""]
    if len(others) == 1 and MERGED.match(subject):
        title, _, rest = body.strip().partition("\n")
        return Merged(base, others[0], title or subject, rest)
    if base and not others and SQUASHED.search(subject):
        return Merged(base, commit, subject, body, squashed=True)
    return None
