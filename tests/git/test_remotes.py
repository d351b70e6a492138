"""One URL of a remote in both directions, whatever the user's configuration is."""

import os
from collections.abc import Callable

import pytest

from claude_batch.errors import CannotRecord
from claude_batch.git.branches import Branches
from claude_batch.git.process import Git
from claude_batch.git.remotes import is_same_repository, open_remote
from git_ledgers import REF, open_ledger
from ledger_contract import always
from ledger_events import plan
from scratch import Work

MakeWork = Callable[..., Work]


@pytest.fixture
def origin(make_work: MakeWork) -> Work:
    return make_work("origin.git", "init", "-q", "--bare")


@pytest.fixture
def other(make_work: MakeWork) -> Work:
    return make_work("other.git", "init", "-q", "--bare")


@pytest.fixture
def clone(origin: Work, work: Work) -> Work:
    work.git("remote", "add", "origin", str(origin.path))
    return work


def has_ledger(where: Work) -> bool:
    return bool(where.git("for-each-ref", REF))


def record_and_read(clone: Work) -> set[str]:
    open_ledger(clone).transact(always(plan("p1")))
    return {each.id for each in open_ledger(clone).view().plans}


def refusal(clone: Work) -> CannotRecord:
    with pytest.raises(CannotRecord) as caught:
        open_ledger(clone).transact(always(plan("p1")))
    return caught.value


def test_a_push_url_of_another_repository_is_refused(
    clone: Work, origin: Work, other: Work
) -> None:
    clone.git("config", "remote.origin.pushurl", f"https://me:secret@127.0.0.1/{other.path}")
    error = refusal(clone)
    assert error.problem == (
        f"git fetches from origin at {origin.path}, but pushes to https://127.0.0.1/{other.path}"
    )
    assert "`state.remote`" in error.remedy
    assert not has_ledger(origin)


def test_a_rewritten_push_url_of_another_repository_is_refused(
    clone: Work, origin: Work, other: Work
) -> None:
    clone.git("config", f"url.{other.path}.pushInsteadOf", str(origin.path))
    assert f"pushes to {other.path}" in refusal(clone).problem
    assert not has_ledger(origin)
    assert not has_ledger(other)


def test_a_push_url_of_the_same_repository_serves_both_directions(
    clone: Work, origin: Work
) -> None:
    # Reading through the fetch URL would fail: git knows no such transport.
    clone.git("remote", "set-url", "origin", f"nosuch://{origin.path}")
    clone.git("config", f"url.file://{origin.path}.pushInsteadOf", f"nosuch://{origin.path}")
    assert record_and_read(clone) == {"p1"}
    assert has_ledger(origin)


def test_of_several_push_urls_the_one_that_is_read_is_used(
    clone: Work, origin: Work, other: Work
) -> None:
    for repository in (other, origin):
        clone.git("remote", "set-url", "--add", "--push", "origin", str(repository.path))
    assert record_and_read(clone) == {"p1"}
    assert has_ledger(origin)
    assert not has_ledger(other)


def test_of_several_urls_the_first_is_used(clone: Work, origin: Work, other: Work) -> None:
    clone.git("remote", "set-url", "--add", "origin", str(other.path))
    assert record_and_read(clone) == {"p1"}
    assert has_ledger(origin)
    assert not has_ledger(other)


def test_a_mirror_takes_the_ledger_and_keeps_its_other_refs(
    clone: Work, origin: Work, other: Work
) -> None:
    commit = clone.commit({"a.py": "1\n"})
    clone.git("push", "-q", "origin", "HEAD:refs/heads/theirs")
    clone.git("config", "remote.origin.mirror", "true")
    assert record_and_read(clone) == {"p1"}
    git = Git(dict(os.environ), clone.path / ".git")
    Branches(git, "origin").push("patches", commit, {"a.py": b"2\n"}, "patch")
    refs = origin.git("for-each-ref", "--format=%(refname)").decode().split()
    assert refs == [REF, "refs/heads/patches", "refs/heads/theirs"]


def test_an_ordinary_remote_is_used_by_its_name(clone: Work) -> None:
    git = Git(dict(os.environ), clone.path / ".git")
    assert open_remote(git, "origin").name == "origin"
    assert open_remote(git, "origin").git is git
    assert open_remote(git, "https://127.0.0.1/o/r").name == "https://127.0.0.1/o/r"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://github.com/o/r", "git@github.com:o/r.git", True),
        ("https://github.com/o/r.git", "ssh://git@github.com:22/o/r/", True),
        ("https://GitHub.com/o/r", "https://token@github.com/o/r", True),
        ("file:///srv/r.git", "/srv/r", True),
        ("https://github.com/o/r", "https://gitlab.com/o/r", False),
        ("https://github.com/o/r", "git@github.com:me/r.git", False),
        ("/srv/r", "/srv/s", False),
    ],
)
def test_protocol_user_and_suffix_do_not_matter(one: str, other: str, same: bool) -> None:
    assert is_same_repository(one, other) is same
