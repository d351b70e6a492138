import os
import resource
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_batch.errors import BadEnvironment, CannotRecord
from claude_batch.git.errors import is_unreachable
from claude_batch.git.objects import ObjectSpool
from claude_batch.git.process import Git, GitFailed, without_credentials
from scratch import Work


def test_variables_of_a_hook_do_not_reach_git(work: Work) -> None:
    environ = {**os.environ, "GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere", "GIT_PREFIX": "x"}
    found = Git(environ, work.path, is_git_dir=False).run("rev-parse", "--absolute-git-dir")
    assert found.out.decode().strip() == str(work.path / ".git")


def test_config_is_added_to_what_the_environment_has(work: Work) -> None:
    given = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": "1"}
    git = Git({**os.environ, **given}, work.path / ".git", config=(("a.c", "2"), ("a.d", "")))
    out = git.run("config", "--get-regexp", r"^a\.").out
    assert out == b"a.b 1\na.c 2\na.d \n"


def test_a_failure_names_the_verb_and_the_cause(work: Work) -> None:
    git = Git(os.environ, work.path / ".git")
    with pytest.raises(GitFailed) as caught:
        git.run("-c", "a.b=secret", "show-ref", "--verify", "refs/heads/nope")
    assert caught.value.problem == ("`git show-ref` failed: 'refs/heads/nope' - not a valid ref")
    assert git.run("show-ref", "--verify", "nope", check=False).code == 128


def test_secrets_are_neither_shown_nor_repeated(work: Work, make_work: Callable[..., Work]) -> None:
    git = Git({**os.environ, "KEY": "s3cret"}, work.path / ".git", config=(("a.b", "s3cret"),))
    assert "s3cret" not in repr(git)
    with pytest.raises(GitFailed) as caught:
        git.run("fetch", "http://me:s3cret@127.0.0.1:1/o/r")
    assert "127.0.0.1" in caught.value.problem
    assert "s3cret" not in caught.value.problem


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("unable to access 'https://u:p@host/o': 403", "unable to access 'https://host/o': 403"),
        ("http://tok@h/x and https://tok@h/y", "http://h/x and https://h/y"),
        ("git@github.com:o/r.git", "git@github.com:o/r.git"),
        ("https://host/o/@scope/x", "https://host/o/@scope/x"),
    ],
)
def test_urls_lose_their_credentials(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


def test_git_is_fed_in_pieces(work: Work) -> None:
    git = Git(dict(os.environ), work.path / ".git")
    pieces = (b"%d\n" % n * 1000 for n in range(500))
    whole = b"".join(b"%d\n" % n * 1000 for n in range(500))
    fed, held = (git.run("hash-object", "--stdin", stdin=given).out for given in (pieces, whole))
    assert fed == held


def test_a_git_that_reads_no_further_says_why(work: Work) -> None:
    git = Git(dict(os.environ), work.path / ".git")
    with pytest.raises(GitFailed) as caught:
        git.run("fast-import", "--quiet", stdin=(b"nonsense\n" for _ in range(100_000)))
    assert "Unsupported command: nonsense" in caught.value.problem


class TestPieces:
    """An alias of git stands for a git that goes on."""

    def git(self, work: Work, script: str) -> Git:
        return Git(dict(os.environ), work.path / ".git", config=(("alias.go", f"!{script}"),))

    def test_they_come_while_git_goes_on(self, work: Work) -> None:
        said = work.path / "said"
        waits = f"seq 100000; while ! test -e {said}; do sleep 0.01; done; seq 100000"
        pieces = self.git(work, waits).stream("go")
        first = next(pieces)
        said.touch()
        whole = "".join(f"{n}\n" for n in range(1, 100_001)).encode() * 2
        assert first + b"".join(pieces) == whole

    def test_a_failure_is_told_after_the_last_one(self, work: Work) -> None:
        pieces = self.git(work, "echo so far; echo fatal: no more >&2; exit 3").stream("go")
        assert next(pieces) == b"so far\n"
        with pytest.raises(GitFailed) as caught:
            next(pieces)
        assert caught.value.problem == "`git go` failed: no more"
        assert caught.value.completed.code == 3

    def test_many_complaints_keep_nobody_waiting(self, work: Work) -> None:
        pieces = self.git(work, "seq 1000000 >&2; echo done").stream("go")
        assert list(pieces) == [b"done\n"]

    def test_who_stops_early_ends_git(self, work: Work) -> None:
        pieces = self.git(work, f"seq 50000; sleep 2; touch {work.path}/late").stream("go")
        next(pieces)
        pieces.close()
        assert not (work.path / "late").exists()


class TestPrinted:
    def test_what_is_added_stands_between_what_git_printed(self, work: Work) -> None:
        oid = work.git("hash-object", "-w", "--stdin", stdin=b"one\ntwo\n").decode().strip()
        printed = ObjectSpool(Git(dict(os.environ), work.path / ".git"))
        before = printed.objects([oid])[oid]
        assert [*before.lines()][1][1] == b"two"
        ours = printed.add(b"three\nfour\n")
        after = printed.objects([oid])[oid]
        assert [ours.line_at(place) for place, _ in ours.lines()] == [b"three\n", b"four\n"]
        assert before.read() == after.read() == b"one\ntwo\n"
        assert ours.read() == b"three\nfour\n"

    def test_no_room_is_one_sentence(self, work: Work) -> None:
        printed = ObjectSpool(Git(dict(os.environ), work.path / ".git"))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
        try:
            with pytest.raises(CannotRecord) as caught:
                printed.add(bytes(2_000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert "could not be stored in a temporary file" in caught.value.problem
        assert "free some disk space" in caught.value.remedy

    def test_objects_are_read_from_where_git_printed_them(self, work: Work) -> None:
        def made(content: bytes) -> str:
            return work.git("hash-object", "-w", "--stdin", stdin=content).decode().strip()

        long = b"".join(b"%d %s\n" % (n, b"x" * (n % 90)) for n in range(9000))
        first, second, empty = made(long), made(b"one\n\ntwo"), made(b"")
        printed = ObjectSpool(Git(dict(os.environ), work.path / ".git"))
        found = printed.objects([first, "0" * 40, empty, ""])
        assert {oid: blob.size for oid, blob in found.items()} == {first: len(long), empty: 0}
        assert found[first].read() == b"".join(found[first].chunks()) == long
        assert found[empty].read() == b""
        rows = list(found[first].lines())
        assert [row for _, row in rows] == long.splitlines()
        more = printed.objects([second])
        assert [row for _, row in more[second].lines()] == [b"one", b"", b"two"]
        for place, row in (*rows[::500], *more[second].lines()):
            assert printed.line_at(place) == row + b"\n"
        assert printed.objects([]) == {}


def test_a_config_count_that_is_not_a_number_is_named(work: Work) -> None:
    with pytest.raises(BadEnvironment) as caught:
        Git({**os.environ, "GIT_CONFIG_COUNT": "x"}, work.path / ".git").run("status")
    assert caught.value.problem == "GIT_CONFIG_COUNT is not a number: 'x'"


@pytest.mark.parametrize("scope", ["--global", "--local"])
def test_hooks_of_the_user_never_run(work: Work, scope: str, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    work.commit({"a.py": "1\n"})
    for name in ("reference-transaction", "post-index-change", "pre-push"):
        hook = hooks / name
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran-{name}\nexit 1\n")
        hook.chmod(0o755)
    work.git("config", scope, "core.hooksPath", str(hooks))
    server = tmp_path / "server.git"  # its hooks are not the user's
    work.git("init", "-q", "--bare", str(server))
    work.git("--git-dir", str(server), "config", "core.hooksPath", "/dev/null")
    git = Git(dict(os.environ), work.path / ".git")
    git.run("update-ref", "refs/x/y", "HEAD")
    git.run("read-tree", "HEAD")
    git.run("push", str(server), "HEAD:refs/x/z")
    assert not list(tmp_path.glob("ran-*"))


def test_a_server_that_stalls_ends_by_itself(work: Work) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stalled:  # connects and never answers
        url = f"http://127.0.0.1:{stalled.getsockname()[1]}/o/r"
        # Shorter than our own time, but useless without our own limit.
        git = Git({**os.environ, "GIT_HTTP_LOW_SPEED_TIME": "1"}, work.path / ".git")
        result = git.run("ls-remote", url, check=False)
    assert "Operation too slow" in result.err
    assert is_unreachable(result.err)
    assert git.text("config", "http.lowSpeedTime") == "60"
