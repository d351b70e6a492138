"""Which credentials the ledger's traffic uses, and what is said when they do not do."""

from collections.abc import Callable, Iterator

import pytest

from claude_batch.errors import CannotRecord
from git_http import GitServer, basic, serve
from git_ledgers import SEEN, open_ledger
from ledger_contract import always
from ledger_events import plan
from scratch import Work


@pytest.fixture
def server(make_work: Callable[..., Work]) -> Iterator[GitServer]:
    bare = make_work("remote.git", "init", "-q", "--bare")
    bare.git("config", "http.receivepack", "true")
    with serve(bare.path.parent) as running:
        running.tokens = {basic("good"): "write", basic("forked"): "read"}
        yield running


@pytest.fixture
def clone(server: GitServer, work: Work) -> Work:
    work.git("remote", "add", "origin", f"{server.url}/remote.git")
    return work


def checkout_leaves(clone: Work, server: GitServer, token: str) -> None:
    """What actions/checkout does with `persist-credentials: true`."""
    header = f"AUTHORIZATION: basic {basic(token)}"
    clone.git("config", f"http.{server.url}/.extraheader", header)


def refusal_of(clone: Work, token: str | None = None) -> CannotRecord:
    with pytest.raises(CannotRecord) as caught:
        open_ledger(clone, token=token).transact(always(plan("p1")))
    return caught.value


def test_the_credentials_of_the_checkout_are_used(clone: Work, server: GitServer) -> None:
    checkout_leaves(clone, server, "good")
    assert len(open_ledger(clone).transact(always(plan("p1"))).plans) == 1


@pytest.mark.parametrize("left", [None, "good", "forked", "expired"])
def test_an_explicit_token_replaces_the_one_of_the_checkout(
    clone: Work, server: GitServer, left: str | None
) -> None:
    if left:
        checkout_leaves(clone, server, left)
    before = (clone.path / ".git" / "config").read_bytes()
    ledger = open_ledger(clone, token="good")
    ledger.transact(always(plan("p1")))
    assert ledger.tip() == clone.git("rev-parse", SEEN).decode().strip()
    assert set(server.seen) == {f"basic {basic('good')}"}
    assert (clone.path / ".git" / "config").read_bytes() == before
    assert "good" not in repr(ledger)


def test_the_token_goes_to_the_host_of_the_remote_alone(clone: Work, server: GitServer) -> None:
    clone.git(
        "remote", "set-url", "origin", f"http://user@127.0.0.1:{server.server_port}/remote.git"
    )
    assert len(open_ledger(clone, token="good").transact(always(plan("p1"))).plans) == 1


def test_without_credentials(clone: Work) -> None:
    refused = refusal_of(clone)
    assert "`persist-credentials: false`" in refused.problem
    assert "GITHUB_TOKEN" in refused.remedy


def test_with_stored_credentials_that_are_not_accepted(clone: Work, server: GitServer) -> None:
    checkout_leaves(clone, server, "expired")
    assert "the config of this clone" in refusal_of(clone).problem


def test_with_a_token_that_is_not_accepted(clone: Work) -> None:
    assert "does not accept the token" in refusal_of(clone, "expired").problem


@pytest.mark.parametrize("explicit", [True, False])
def test_with_a_read_only_token(clone: Work, server: GitServer, explicit: bool) -> None:
    if not explicit:
        checkout_leaves(clone, server, "forked")
    refused = refusal_of(clone, "forked" if explicit else None)
    assert refused.problem == "the credentials for origin may not write to it"
    assert "permissions: contents: write" in refused.remedy
    assert open_ledger(clone, token="good").tip() is None
