"""git over HTTP on the look-alike: real clones and pushes."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from claude_batch.sandbox.github_server.git_http import write_hook
from claude_batch.sandbox.github_server.messages import ACTIONS_BOT, Account
from claude_batch.sandbox.github_server.server import GitHubServer
from claude_batch.sandbox.github_server.state import GitHubSettings
from github_faults import Script, bad_gateway
from shop import TOKEN, Shop, environ, open_shop

TOKENS = {TOKEN: Account(ACTIONS_BOT), "reader": Account("reader[bot]", frozenset())}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    rules = ("refs/heads/release/*", "refs/heads/locked")
    with open_shop(tmp_path, GitHubSettings(tokens=TOKENS, refused_refs=rules)) as made:
        yield made


def git(*args: str, where: Path) -> subprocess.CompletedProcess[str]:
    quiet = {"GIT_TERMINAL_PROMPT": "0"}
    return subprocess.run(
        ["git", *args], cwd=where, capture_output=True, text=True, env={**os.environ, **quiet}
    )


def url_for(shop: Shop, token: str) -> str:
    return shop.hub.clone_url.replace("http://", f"http://x-access-token:{token}@")


def clone(shop: Shop, where: Path, *args: str) -> Path:
    done = git("clone", "-q", *args, url_for(shop, TOKEN), str(where), where=where.parent)
    assert done.returncode == 0, done.stderr
    return where


def test_clone_and_push(shop: Shop, tmp_path: Path) -> None:
    there = clone(shop, tmp_path / "there")
    (there / "new.txt").write_text("hello\n")
    assert git("add", ".", where=there).returncode == 0
    assert git("commit", "-qm", "new", where=there).returncode == 0
    assert git("push", "-q", "origin", "HEAD:main", where=there).returncode == 0
    head = git("rev-parse", "HEAD", where=there).stdout.strip()
    assert git("rev-parse", "main", where=shop.bare).stdout.strip() == head


def test_a_pull_requests_head_can_be_fetched(shop: Shop, tmp_path: Path) -> None:
    number, head = shop.feature()
    there = clone(shop, tmp_path / "there", "--depth=1")
    ref = f"refs/pull/{number}/head"
    assert git("fetch", "-q", "--depth=1", "origin", ref, where=there).returncode == 0
    assert git("rev-parse", "FETCH_HEAD", where=there).stdout.strip() == head
    late = shop.commit({"added.py": "z = 1\n"})
    shop.git("push", "-q", "origin", "feature")
    assert git("fetch", "-q", "--depth=1", "origin", ref, where=there).returncode == 0
    assert git("rev-parse", "FETCH_HEAD", where=there).stdout.strip() == late


def test_a_commit_can_be_fetched_by_its_id(shop: Shop, tmp_path: Path) -> None:
    base = shop.git("rev-parse", "HEAD").stdout.decode().strip()
    shop.commit({"more.py": "x = 1\n"})
    shop.git("push", "-q", "origin", "HEAD:main")
    there = clone(shop, tmp_path / "there", "--depth=1")
    assert git("fetch", "-q", "--depth=1", "origin", base, where=there).returncode == 0
    assert git("cat-file", "-t", base, where=there).stdout.strip() == "commit"


def test_a_clone_without_blobs(shop: Shop, tmp_path: Path) -> None:
    there = clone(shop, tmp_path / "there", "--filter=blob:none", "--no-checkout")
    missing = git("rev-list", "--objects", "--missing=print", "HEAD", where=there).stdout
    assert "?" in missing


def test_a_large_push_comes_in_chunks(shop: Shop, tmp_path: Path) -> None:
    """Above http.postBuffer (1 MiB) git sends its pack chunked, without a length."""
    noise = os.urandom(3 * 1024 * 1024)
    head = shop.commit({"noise.bin": noise})
    shop.git("push", "-q", "origin", "HEAD:refs/heads/big")
    there = clone(shop, tmp_path / "there", "--branch=big")
    assert git("rev-parse", "HEAD", where=there).stdout.strip() == head
    assert (there / "noise.bin").read_bytes() == noise


def test_many_wants_come_compressed(shop: Shop, tmp_path: Path) -> None:
    """git compresses a request of more than 1,024 bytes; many branches make one."""
    there = clone(shop, tmp_path / "there")
    tree = shop.git("rev-parse", "HEAD^{tree}").stdout.decode().strip()
    for n in range(40):
        made = shop.git("commit-tree", tree, "-m", f"branch {n}").stdout.decode().strip()
        shop.git("update-ref", f"refs/heads/many/{n}", made)
    shop.git("push", "-q", "origin", "refs/heads/many/*:refs/heads/many/*")
    assert git("fetch", "-q", where=there).returncode == 0
    assert any(each.headers.get("content-encoding") == "gzip" for each in shop.hub.log)
    branches = git("branch", "-r", where=there).stdout.split()
    assert sum("many/" in each for each in branches) == 40


def test_a_wrong_token_and_none(shop: Shop, tmp_path: Path) -> None:
    wrong = git("ls-remote", url_for(shop, "wrong"), where=tmp_path)
    assert wrong.returncode == 128
    assert "Authentication failed" in wrong.stderr
    none = git("ls-remote", shop.hub.clone_url, where=tmp_path)
    assert "could not read Username" in none.stderr


def test_a_reader_may_fetch_and_not_push(shop: Shop, tmp_path: Path) -> None:
    url = url_for(shop, "reader")
    assert git("ls-remote", url, where=tmp_path).returncode == 0
    refused = git("push", url, "HEAD:refs/heads/x", where=shop.work)
    assert refused.returncode == 128
    assert "403" in refused.stderr
    assert "Permission to acme/shop.git denied to reader[bot]." in refused.stderr


def test_another_repository_is_not_found(shop: Shop, tmp_path: Path) -> None:
    url = url_for(shop, TOKEN).replace("acme/shop", "acme/other")
    assert "not found" in git("ls-remote", url, where=tmp_path).stderr


def test_without_a_token_where_that_is_allowed(tmp_path: Path) -> None:
    with open_shop(tmp_path, GitHubSettings(anonymous_git=True)) as shop:
        there = tmp_path / "there"
        done = git("clone", "-q", shop.hub.clone_url, str(there), where=tmp_path)
        assert done.returncode == 0
        pushed = git("push", "-q", "origin", "HEAD:refs/heads/x", where=there)
        assert pushed.returncode == 0


@pytest.mark.parametrize("branch", ["release/1", "locked"])
def test_a_ruleset_refuses_in_githubs_words(shop: Shop, branch: str) -> None:
    done = shop.git("push", "--porcelain", "origin", f"HEAD:refs/heads/{branch}", check=False)
    assert done.returncode == 1
    assert b"remote: error: GH013: Repository rule violations found" in done.stderr
    assert f"!\tHEAD:refs/heads/{branch}\t[remote rejected]" in done.stdout.decode()
    assert shop.git("push", "-q", "origin", "HEAD:refs/heads/free").returncode == 0


def test_pull_request_refs_are_githubs_own(shop: Shop) -> None:
    number, _ = shop.feature()
    done = shop.git("push", "origin", f"HEAD:refs/pull/{number}/head", check=False)
    assert b"deny updating a hidden ref" in done.stderr


def test_patterns_are_not_shell(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a pattern"):
        write_hook(tmp_path, ["refs/heads/x) rm -rf"], "acme/shop")


def test_a_custom_ref_and_an_orphan_branch(shop: Shop) -> None:
    tree = shop.git("mktree").stdout.decode().strip()
    made = shop.git("commit-tree", tree, "-m", "state").stdout.decode().strip()
    for ref in ("refs/heads/claude-batch-state", "refs/claude-batch/state"):
        shop.git("push", "-q", f"--force-with-lease={ref}:", "origin", f"{made}:{ref}")
        again = shop.git("push", f"--force-with-lease={ref}:", "origin", f"HEAD:{ref}", check=False)
        assert again.returncode == 1


def test_a_fault_on_the_way(shop: Shop, tmp_path: Path) -> None:
    shop.hub.faults = Script().expect("GET", "/info/refs$", bad_gateway(after=False))
    done = git("ls-remote", url_for(shop, TOKEN), where=tmp_path)
    assert "502" in done.stderr


def push_until_it_lands(shop: Shop, where: Path, writer: int) -> int:
    """Compare-and-swap: how many tries one writer needed."""
    for tries in range(1, 40):
        git("fetch", "-q", "origin", "state", where=where)
        git("checkout", "-q", "--detach", "FETCH_HEAD", where=where)
        (where / f"writer-{writer}").write_text("here\n")
        git("add", ".", where=where)
        git("commit", "-qm", f"writer {writer}", where=where)
        if git("push", "-q", "origin", "HEAD:refs/heads/state", where=where).returncode == 0:
            return tries
    raise AssertionError(f"writer {writer} never landed")


def test_four_writers_on_one_branch_lose_nothing(shop: Shop, tmp_path: Path) -> None:
    shop.git("push", "-q", "origin", "HEAD:refs/heads/state")
    clones = [clone(shop, tmp_path / f"clone-{n}") for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        tries = list(pool.map(lambda n: push_until_it_lands(shop, clones[n], n), range(4)))
    assert all(tries)
    shop.git("fetch", "-q", "origin", "state")
    names = shop.git("ls-tree", "--name-only", "FETCH_HEAD").stdout.decode().split()
    assert {f"writer-{n}" for n in range(4)} <= set(names)


def test_two_hubs_at_once_and_a_clean_end(tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)
    with GitHubServer(bare, environ()) as one, GitHubServer(bare, environ()) as two:
        assert one.url != two.url
    assert git("ls-remote", one.clone_url, where=tmp_path).returncode == 128
