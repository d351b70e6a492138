"""What is said when the world around the state branch is broken: nobody is asked anything."""

from pathlib import Path

import pytest

from claude_batch.errors import CannotRecord
from claude_batch.git.process import Git, GitFailed
from git_ledgers import open_ledger
from ledger_contract import always
from ledger_events import plan
from scratch import Work


def refused(work: Work, url: str, environ: dict[str, str]) -> CannotRecord:
    work.git("remote", "add", "origin", url)
    ledger = open_ledger(work)
    ledger.git = Git(dict(ledger.git.environ) | environ, ledger.git.directory)
    with pytest.raises(CannotRecord) as caught:
        ledger.transact(always(plan("p1")))
    assert caught.value.exit_code == 3
    return caught.value


def test_a_proxy_that_is_down(work: Work) -> None:
    down = {"http_proxy": "http://127.0.0.1:9"}
    error = refused(work, "http://127.0.0.1:10/x.git", down)
    assert error.problem.startswith("origin could not be reached: ")
    assert "port 9" in error.problem
    assert error.remedy == "run again when it is; nothing was lost"


@pytest.mark.parametrize(
    ("said", "problem", "remedy"),
    [
        ("Permission denied (publickey,password).", "does not know the credentials", "renew"),
        ("Host key verification failed.", "ssh does not know the host of origin", "known_hosts"),
        ("ssh: connect to host x port 22: Connection refused", "could not be reached", "run again"),
    ],
)
def test_an_ssh_that_would_have_to_ask(work: Work, said: str, problem: str, remedy: str) -> None:
    ssh = {"GIT_SSH_COMMAND": f"sh -c 'echo \"{said}\" >&2; exit 255' --"}
    error = refused(work, "git@127.0.0.1:x/y.git", ssh)
    assert problem in error.problem
    assert remedy in error.remedy


@pytest.mark.parametrize("size", [10, 10_000_000])
def test_a_disk_that_fills_up_while_git_prints(work: Work, size: int) -> None:
    work.commit({"a.txt": b"a" * size})
    oid = work.git("rev-parse", "HEAD:a.txt")
    git = open_ledger(work, remote=None).git
    with Path("/dev/full").open("wb") as full, pytest.raises(GitFailed) as caught:
        git.run("cat-file", "--batch", stdin=oid, out=full)
    assert caught.value.remedy.startswith("free some disk space")
