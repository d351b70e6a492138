"""A small shop on the GitHub look-alike: a bare repository, a clone, one pull request."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from referee import verdict

from claude_batch.edges.forge import Forge
from claude_batch.sandbox.hub import Hub, Setup

TOKEN = "ghs_of_the_tests"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
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
    hub: Hub
    bare: Path
    work: Path
    slept: list[float]
    forges: list[Forge]

    def git(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(["git", *args], cwd=self.work, capture_output=True)
        assert not check or done.returncode == 0, f"git {args}: {done.stderr.decode()}"
        return done

    def commit(self, files: dict[str, str | bytes | None], message: str = "change") -> str:
        """None deletes a file."""
        for name, text in files.items():
            if text is None:
                (self.work / name).unlink()
            else:
                (self.work / name).parent.mkdir(parents=True, exist_ok=True)
                (self.work / name).write_bytes(text.encode() if isinstance(text, str) else text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").stdout.decode().strip()

    def feature(self) -> tuple[int, str]:
        """The pull request of the branch `feature`, and its head."""
        self.git("checkout", "-q", "-b", "feature", "origin/main")
        (self.work / "old_name.py").rename(self.work / "new_name.py")
        renamed = BASE["old_name.py"].replace("keep_15 = 15", "keep_15 = 'fifteen'")
        head = self.commit(
            {
                "cart.py": changed_cart(),
                "new_name.py": renamed,
                "gone.py": None,
                "added.py": "a = 1\nb = 2\nc = 3\n",
                "logo.png": b"\x89PNG\0\1\2",
            }
        )
        self.git("push", "-q", "origin", "feature")
        return self.hub.open_pull("Change the cart", "feature"), head

    def forge(self, token: str = TOKEN, **environ: str) -> Forge:
        given = {"GITHUB_API_URL": self.hub.url, "GITHUB_TOKEN": token} | environ
        made = Forge(given, self.hub.repository, sleep=self.slept.append)
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


def run(*args: str | Path) -> None:
    subprocess.run(["git", *map(str, args)], check=True, capture_output=True)


@contextmanager
def open_shop(path: Path, setup: Setup | None = None) -> Iterator[Shop]:
    """At the end GitHub's description is asked about all traffic."""
    bare, work = path / "shop.git", path / "shop"
    run("init", "-q", "--bare", bare)
    with Hub(bare, environ(), setup, now=lambda: NOON) as hub:
        run("init", "-q", work)
        url = hub.clone_url.replace("http://", f"http://x-access-token:{TOKEN}@")
        run("-C", work, "remote", "add", "origin", bare)
        shop = Shop(hub, bare, work, [], [])
        shop.commit(dict(BASE), "first")
        shop.git("push", "-q", "origin", "HEAD:refs/heads/main")
        shop.git("remote", "set-url", "origin", url)
        shop.git("fetch", "-q")
        yield shop
        for forge in shop.forges:
            forge.close()
        faults = verdict(hub.log)
        assert not faults, "\n".join(faults)
