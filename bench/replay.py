"""A rebase as git does it, without a work tree."""

from collections.abc import Sequence

from claude_batch.git.plumbing import identity
from claude_batch.git.process import Git, GitFailed

SECONDS = 1_700_000_000


def replay(git: Git, commits: Sequence[str], onto: str) -> str | None:
    """The head of `commits`, each with one parent, picked one after the other; None: a conflict."""
    head: str | None = onto
    for commit in commits:
        head = head and _pick(git, commit, head)
    return head


def _pick(git: Git, commit: str, onto: str) -> str | None:
    # `merge-tree` can be told a merge base from git 2.40 on. Before, a commit makes it one that has
    # the files of `onto` and the parent of `commit`.
    stand_in = _commit(git, f"{onto}^{{tree}}", f"{commit}^")
    args = ("merge-tree", "--write-tree", stand_in, commit)
    done = git.run(*args, check=False)
    if done.code == 1:
        return None
    if done.code:
        raise GitFailed(args, done)
    return _commit(git, done.out.decode().split("\n")[0], onto)


def _commit(git: Git, tree: str, parent: str) -> str:
    oid = git.run("rev-parse", "--verify", tree).out.decode().strip()
    args = ("commit-tree", oid, "-p", parent, "-m", "picked")
    return git.run(*args, extra_environ=identity(SECONDS)).out.decode().strip()
