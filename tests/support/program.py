"""The installed console script as a process, as a user runs it, against both look-alikes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.github_server.state import GitHubSettings
from scratch import GIT_CONFIG
from shop import TOKEN, Shop, open_shop

PROGRAM = Path(sys.executable).parent / "claude-batch"
NOWHERE = "http://127.0.0.1:9"  # discard: nothing listens there
STATE = "refs/heads/claude-batch-state"
LOCAL = "refs/claude-batch/local"
ONCE = "verify = false\n"  # a configuration without a second look
# Each line is one finding of the sandbox's rules; the second and the fourth have a suggestion.
SUSPICIOUS = """\
def run(text, seen=[]):
    if text == None:
        return eval(text)
    x = yaml.load(text)
    return x
"""
TITLES = {
    "A default value that calls share",
    "Comparison with None by value",
    "Text is run as code",
    "YAML that can make any object",
}


@dataclass(frozen=True)
class Ran:
    """What became of one process."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Stdout as exactly one document, money as it was written."""
        assert self.code in (0, 1, 3), self.err
        return json.loads(self.out, parse_float=Decimal)

    def refusal(self) -> tuple[str, str]:
        """The two sentences at the end of stderr. There is nothing else of an error anywhere."""
        *_, problem, remedy = ["", *self.err.splitlines()]
        assert problem.startswith("error: "), self.err
        assert remedy.startswith(" help: "), self.err
        assert self.err.count("error: ") == 1
        assert "Traceback" not in self.err
        said, done = problem.removeprefix("error: "), remedy.removeprefix(" help: ")
        assert said.strip()
        assert done.strip()
        return said, done


@dataclass
class Place:
    """A clone of the shop, and what the environment says there."""

    shop: Shop
    batches: BatchesServer
    environ: dict[str, str]

    def run(
        self,
        *args: str,
        code: int | None = 0,
        stdin: str = "",
        cwd: Path | None = None,
        environ: Mapping[str, str | None] = {},
    ) -> Ran:
        """`environ` adds variables, or with None takes them away."""
        done = subprocess.run(
            [PROGRAM, *args],
            cwd=cwd or self.shop.work,
            env=self.seen(environ),
            input=stdin.encode(),
            capture_output=True,
            timeout=120,
        )
        ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert code is None or ran.code == code, f"{args} -> {ran.code}\n{ran.out}\n{ran.err}"
        return ran

    def start(self, *args: str) -> subprocess.Popen[str]:
        """In the background, as something that can be interrupted."""
        return subprocess.Popen(
            [PROGRAM, *args],
            cwd=self.shop.work,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A job that runs in the background is started deaf to it, and so are its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def json(self, *args: str, **given: Any) -> Any:
        return self.run(*args, "--format", "json", **given).json()

    def seen(self, environ: Mapping[str, str | None]) -> dict[str, str]:
        merged = {**self.environ, **environ}
        return {name: value for name, value in merged.items() if value is not None}

    def event(self, name: str, payload: Mapping[str, Any] | None = None) -> dict[str, str]:
        """What a runner tells the step that an event started."""
        folder = self.shop.bare.parent / "runner"
        folder.mkdir(exist_ok=True)
        paths = {key: folder / key for key in ("EVENT_PATH", "OUTPUT", "STEP_SUMMARY")}
        for path in paths.values():
            path.write_text("")
        paths["EVENT_PATH"].write_text(json.dumps(payload or {}))
        files = {f"GITHUB_{key}": str(path) for key, path in paths.items()}
        return files | {"GITHUB_EVENT_NAME": name, "GITHUB_RUN_ID": "7"}

    def outputs(self) -> dict[str, str]:
        """Of the step that ran last."""
        rows = (self.shop.bare.parent / "runner" / "OUTPUT").read_text().splitlines()
        return {rows[at].partition("<<")[0]: rows[at + 1] for at in range(0, len(rows), 3)}

    def summary(self) -> str:
        return (self.shop.bare.parent / "runner" / "STEP_SUMMARY").read_text()

    def ref(self, where: Path, name: str) -> str:
        """The commit at a ref, empty when there is none."""
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", name], cwd=where, capture_output=True
        )
        return done.stdout.decode().strip()

    def suspicious(self, files: Mapping[str, str] = {}) -> int:
        """The pull request of `feature` with a suspicious file more; it is checked out."""
        self.shop.git("checkout", "-q", "feature")
        self.shop.commit({"run.py": SUSPICIOUS, **files})
        self.shop.git("push", "-q", "origin", "feature")
        return self.shop.hub.open_pull("Change the cart", "feature")

    def created(self) -> int:
        """Batches that were accepted, and questions that were answered at full price."""
        asking = ("/v1/messages/batches", "/v1/messages")
        log = self.batches.log
        posts = [each for each in log if each.method == "POST" and each.path in asking]
        return sum(each.status == 200 for each in posts)

    def written(self) -> int:
        """What was posted or edited on GitHub; a query of GraphQL is a POST and writes nothing."""
        return sum(
            each.method in ("POST", "PATCH")
            and ".git/" not in each.path
            and not str((each.body or {}).get("query")).lstrip().startswith("query")
            for each in self.shop.hub.log
        )


@contextmanager
def open_place(
    path: Path,
    setup: GitHubSettings | None = None,
    batches: Callable[[], BatchesServer] = BatchesServer,
    config: str = "",
) -> Iterator[Place]:
    """In a box of its own: a fixture of a whole module begins before that of the test.

    `config` is the configuration on `main`, from which `feature` goes out.
    """
    home = path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(GIT_CONFIG)
    box = {
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in box.items():
            patch.setenv(name, value)
        with open_shop(path, setup) as shop, batches() as server:
            if config:
                shop.commit({".claude-batch.toml": config})
                shop.git("rebase", "-q", "main", "feature")
                shop.git("push", "-q", "--force", "origin", "main", "feature")
                shop.git("checkout", "-q", "main")
            given = {
                "ANTHROPIC_API_KEY": "key",
                "ANTHROPIC_BASE_URL": server.url,
                "GITHUB_TOKEN": TOKEN,
                "GITHUB_API_URL": shop.hub.url,
                "GITHUB_REPOSITORY": shop.hub.repository,
                "PATH": os.environ["PATH"],
                "TMPDIR": str(home),
            }
            yield Place(shop, server, box | given)


def at_once(calls: Mapping[str, Callable[[], Ran]]) -> dict[str, Ran]:
    """Processes that only read, beside each other: most of their time is Python's own start."""
    with ThreadPoolExecutor(4) as pool:
        started = {name: pool.submit(call) for name, call in calls.items()}
        return {name: future.result() for name, future in started.items()}


def pull_event(action: str, number: int = 1, base: str = "", **more: Any) -> dict[str, Any]:
    """The payload of a pull_request event; `more` is for the pull request itself."""
    side = {"repo": {"full_name": "acme/shop"}}
    whole = {
        "number": number,
        "user": {"login": "octocat"},
        "head": side,
        "base": side | ({"sha": base} if base else {}),
    }
    return {"action": action, "number": number, "pull_request": whole | more}


def first_line(help_text: str) -> str:
    """Of a command's own help: the sentence under its usage."""
    rows: Sequence[str] = [row.strip() for row in help_text.splitlines() if row.strip()]
    return rows[1]
