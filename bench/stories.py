"""Measurements of a pull request: its first push, all of its pushes, a rebase."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.merged import MergedPullRequest
from bench.replay import replay
from bench.wire import Push, WireProbe
from claude_batch.git.process import Git

MOST_COMMITS = 60


class BaseChange(StrEnum):
    """The place of the changes in the new base of a rebase."""

    ELSEWHERE = "in other files only"
    APART = "in the same files, no hunk's context lines changed"
    CLOSE = "in the same files, context lines changed"


class UnsuitablePullRequest(Exception):
    """The reason why a pull request cannot be measured."""


@dataclass(frozen=True)
class Rebase:
    moved: BaseChange
    pushes: tuple[Push, ...]  # before and after

    @property
    def changed(self) -> int:
        """The number of hunks whose rows changed."""
        before, after = self.pushes
        return len(after.hunks - before.hunks)


def list_commits(git: Git, pull: MergedPullRequest) -> list[str]:
    """Oldest first, without what was merged into its branch."""
    args = ("--first-parent", "--reverse", pull.head, f"^{pull.base}", "--")
    return git.run("rev-list", *args).out.decode().split()


def split_into_pushes(commits: Sequence[str], each: int) -> list[str]:
    """The heads of pushes of so many commits; the last push may have fewer."""
    return [*commits[each - 1 : -1 : each], commits[-1]]


def has_pushes(git: Git, pull: MergedPullRequest) -> bool:
    return not pull.squashed and 2 <= len(list_commits(git, pull)) <= MOST_COMMITS


def first_push(wire: WireProbe, pull: MergedPullRequest) -> Push:
    return _pushed(wire, pull, [(pull.base, pull.head)])[0]


def history(wire: WireProbe, each: int, pull: MergedPullRequest) -> tuple[Push, ...]:
    heads = split_into_pushes(list_commits(wire.repository.git, pull), each)
    return _pushed(wire, pull, [(pull.base, head) for head in heads])


def _pushed(
    wire: WireProbe, pull: MergedPullRequest, ends: Sequence[tuple[str, str]]
) -> tuple[Push, ...]:
    pushes = wire.pushes(pull, ends)
    if not any(push.tasks for push in pushes):
        raise UnsuitablePullRequest("nothing is asked about")
    return pushes


def find_fork_point(git: Git, pull: MergedPullRequest) -> str | None:
    """Where its commits start, if they can be rebased: the base moved on and none is a merge."""
    if pull.squashed:
        return None
    span = f"{pull.base}..{pull.head}"
    fork = git.run("merge-base", pull.base, pull.head, check=False).out.decode().strip()
    merges = git.run("rev-list", "--merges", span, "--").out
    return fork if fork and fork != pull.base and not merges else None


def rebase(wire: WireProbe, pull: MergedPullRequest) -> Rebase:
    """Pushed where it was begun, then replayed on what it was merged into."""
    git = wire.repository.git
    fork, commits = find_fork_point(git, pull), list_commits(git, pull)
    if fork is None or len(commits) > MOST_COMMITS:
        raise UnsuitablePullRequest("not to be rebased, or too long")
    head = replay(git, commits, pull.base)
    if head is None:
        raise UnsuitablePullRequest("a conflict")
    pushes = _pushed(wire, pull, [(fork, pull.head), (pull.base, head)])
    return Rebase(_moved(git, fork, pull, pushes), pushes)


def _moved(git: Git, fork: str, pull: MergedPullRequest, pushes: Sequence[Push]) -> BaseChange:
    before, after = pushes
    theirs, ours = (_touched(git, fork, tip) for tip in (pull.base, pull.head))
    if not theirs & ours:
        return BaseChange.ELSEWHERE
    return BaseChange.CLOSE if after.hunks - before.hunks else BaseChange.APART


def _touched(git: Git, old: str, new: str) -> set[bytes]:
    out = git.run("diff", "--name-only", "--no-renames", "-z", old, new).out
    return set(filter(None, out.split(b"\0")))
