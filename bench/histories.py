"""Histories like those of pull requests, from any repository: a base and the heads of pushes."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from claude_batch.git.process import Git

MOST_COMMITS = 60
PUSHES = (2, 4)


@dataclass(frozen=True)
class PullHistory:
    """`base`: the tip of the base branch. Each of `heads` is an ancestor of the next."""

    base: str
    heads: tuple[str, ...]


def list_histories(git: Git, seed: int) -> Iterator[PullHistory]:
    """Merged branches in random order, then runs of consecutive commits of the main line."""
    dice = random.Random(seed)  # noqa: S311 - the same sample every time
    yield from _merged(git, dice)
    yield from _runs(git, dice)


def _merged(git: Git, dice: random.Random) -> Iterator[PullHistory]:
    rows = _rows(git, "--merges", "--parents", "HEAD")
    dice.shuffle(rows)
    for row in rows:
        _, base, *others = row.split()
        commits = _rows(git, "--first-parent", "--reverse", others[0], f"^{base}")
        if len(others) == 1 and 2 <= len(commits) <= MOST_COMMITS:
            yield PullHistory(base, _pushed(commits, dice))


def _runs(git: Git, dice: random.Random) -> Iterator[PullHistory]:
    commits = _rows(git, "--first-parent", "--reverse", "HEAD")
    starts = list(range(0, len(commits) - 1, 10))
    dice.shuffle(starts)
    for start in starts:
        part = commits[start + 1 : start + 1 + dice.randint(2, 8)]
        if len(part) >= PUSHES[0]:
            yield PullHistory(commits[start], _pushed(part, dice))


def _pushed(commits: list[str], dice: random.Random) -> tuple[str, ...]:
    """The last commit of each push; the last push ends with the last commit."""
    count = min(len(commits), dice.randint(*PUSHES))
    ends = sorted(dice.sample(range(len(commits) - 1), count - 1))
    return tuple(commits[at] for at in [*ends, len(commits) - 1])


def _rows(git: Git, *args: str) -> list[str]:
    return git.run("rev-list", *args, "--").out.decode().splitlines()
