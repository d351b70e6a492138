"""A small shop on the GitHub look-alike: a bare repository, a clone, one pull request."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from claude_batch.github_api.client import GitHubClient
from claude_batch.sandbox.github_server.server import GitHubServer
from claude_batch.sandbox.github_server.state import GitHubSettings
from claude_batch.sandbox.http_server import utc_now
from referee import verdict

TOKEN = "ghs_of_the_tests"
BASE = {
    "cart.py": "".join(f"line_{n} = {n}\n" for n in range(1, 61)),
    "old_name.py": "".join(f"keep_{n} = {n}\n" for n in range(1, 31)),
    "gone.py": "dead = 1\n",
}


def changed_cart() -> str:
    """Two hunks: 7..13 with a line replaced at 10, and 48..55 (new) with two lines added."""
    rows = BASE["cart.py"].splitlines(keepends=True)
    rows[9] = "line_10 = 'ten'\n"
    rows[50:50] = ["extra_a = 1\n", "extra_b = 2\n"]
    return "".join(rows)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    def errors(self) -> list[str]:
        found = self.body.get("errors", [])
        return [each["message"] if isinstance(each, dict) else each for each in found]


@dataclass
class Shop:
    hub: GitHubServer
    bare: Path
    work: Path
    slept: list[float]
    forges: list[GitHubClient]
    clock: Callable[[], datetime] = utc_now

    def git(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(["git", *args], cwd=self.work, capture_output=True)
        assert not check or done.returncode == 0, f"git {args}: {done.stderr.decode()}"
        return done

    def commit(self, files: dict[str, str | bytes], message: str = "change") -> str:
        for name, text in files.items():
            (self.work / name).write_bytes(text.encode() if isinstance(text, str) else text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").stdout.decode().strip()

    def feature(self) -> tuple[int, str]:
        """The pull request of the branch `feature`, and its head; it is checked out."""
        self.git("checkout", "-q", "feature")
        head = self.git("rev-parse", "HEAD").stdout.decode().strip()
        return self.hub.open_pull("Change the cart", "feature"), head

    def forge(self, token: str = TOKEN, **environ: str) -> GitHubClient:
        given = {"GITHUB_API_URL": self.hub.url, "GITHUB_TOKEN": token} | environ
        made = GitHubClient(given, self.hub.repository, sleep=self.slept.append)
        self.forges.append(made)
        return made

    def ask(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> Answer:
        """The API without a client library. `path` starts after the repository, or with //."""
        inside = path[1:] if path.startswith("//") else f"/repos/{self.hub.repository}{path}"
        data = None if body is None else json.dumps(body)
        headers = {"Authorization": f"token {token}"} if token else {}
        with closing(HTTPConnection(self.hub.url.removeprefix("http://"))) as connection:
            connection.request(method, inside, data, headers)
            answer = connection.getresponse()
            raw = answer.read()
        return Answer(answer.status, json.loads(raw) if raw else None, dict(answer.headers))


def environ() -> dict[str, str]:
    """What git needs of the sealed box."""
    wanted = ("PATH", "HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")
    return {name: os.environ[name] for name in wanted if name in os.environ}


def _git(where: Path, *args: str) -> None:
    subprocess.run(["git", *args], cwd=where, check=True, capture_output=True)


def _draw(folder: Path) -> None:
    """The bare repository and a clone of it, with the branches main and feature."""
    folder.mkdir()
    work = folder / "shop"
    _git(folder, "init", "-q", "-b", "main", "--bare", "--template=", "shop.git")
    _git(folder, "clone", "-q", "--template=", "shop.git", "shop")
    for name, text in BASE.items():
        (work / name).write_text(text)
    _git(work, "add", "-A")
    _git(work, "commit", "-q", "-m", "first")
    _git(work, "checkout", "-q", "-b", "feature")
    (work / "old_name.py").unlink()
    (work / "gone.py").unlink()
    (work / "new_name.py").write_text(BASE["old_name.py"].replace("= 15", "= 'fifteen'"))
    (work / "cart.py").write_text(changed_cart())
    (work / "added.py").write_text("a = 1\nb = 2\nc = 3\n")
    (work / "logo.png").write_bytes(b"\x89PNG\0\1\2")
    _git(work, "add", "-A")
    _git(work, "commit", "-q", "-m", "change")
    _git(work, "push", "-q", "origin", "main", "feature")
    _git(work, "checkout", "-q", "main")


@contextmanager
def open_shop(path: Path, setup: GitHubSettings | None = None) -> Iterator[Shop]:
    """At the end GitHub's description is asked about all traffic.

    The repositories are drawn once beside `path`, and copied: that is ten times as fast.
    """
    drawn = path.parent / "drawn-shop"
    if not drawn.exists():
        _draw(drawn)
    for name in ("shop.git", "shop"):
        shutil.copytree(drawn / name, path / name, symlinks=True)
    with GitHubServer(path / "shop.git", environ(), setup, now=lambda: shop.clock()) as hub:
        shop = Shop(hub, path / "shop.git", path / "shop", [], [])
        url = hub.clone_url.replace("http://", f"http://x-access-token:{TOKEN}@")
        shop.git("remote", "set-url", "origin", url)
        yield shop
        for forge in shop.forges:
            forge.close()
        faults = verdict(hub.log)
        assert not faults, "\n".join(faults)
