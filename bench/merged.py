"""Merged pull requests, read from the history of a main line."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from claude_batch.git.process import Git

SQUASHED = re.compile(r"\(#\d+\)$")
MERGED = re.compile(r"Merge (?:pull request|PR|branch|remote)")
Item = TypeVar("Item")


@dataclass(frozen=True)
class MergedPullRequest:
    base: str  # the tip of the main line before the merge
    head: str
    title: str
    description: str
    squashed: bool = False  # its own commits are gone


def list_merged(git: Git) -> list[MergedPullRequest]:
    """Oldest first: merge commits, and commits whose subject ends with (#NUMBER)."""
    form = "--format=%P%x00%H%x00%s%x00%b%x01"
    out = git.run("log", "--first-parent", "--reverse", form, "HEAD").out
    rows = out.decode("utf-8", "replace").split("\x01\n")
    return [pull for row in rows if (pull := _merged(row))]


def sample_evenly(items: Sequence[Item], most: int) -> list[Item]:
    """Return a deterministic sample, spread over all of them."""
    step = max(1, len(items) / most)
    return [items[int(index * step)] for index in range(min(most, len(items)))]


def _merged(row: str) -> MergedPullRequest | None:
    if row.count("\x00") != 3:
        return None
    parents, commit, subject, body = row.split("\x00")
    base, *others = parents.split() or [""]
    if len(others) == 1 and MERGED.match(subject):
        title, _, rest = body.strip().partition("\n")
        return MergedPullRequest(base, others[0], title or subject, rest)
    if base and not others and SQUASHED.search(subject):
        return MergedPullRequest(base, commit, subject, body, squashed=True)
    return None
