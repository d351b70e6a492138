"""Runs of `ci` in this process, against both test servers, with one clock for all."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from claude_batch.cli import clock as program_clock
from claude_batch.cli.main import app
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from program import ONCE, pull_event
from shop import TOKEN, Shop, open_shop

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@dataclass
class Clock:
    """Each reading is a millisecond later, so that what happens first is recorded as earlier."""

    at: datetime = START

    def __call__(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at

    def forward(self, seconds: float) -> None:
        """Sleep."""
        self.at += timedelta(seconds=seconds)


@dataclass
class CiRuns:
    """A repository with claude-batch in its workflows."""

    shop: Shop
    batches: BatchesServer
    clock: Clock
    folder: Path
    environ: dict[str, str]
    warnings: list[str] = field(default_factory=list)  # of the last run

    def event(self, action: str, number: int = 1, **more: Any) -> dict[str, Any]:
        return self.ci("pull_request", pull_event(action, number), **more)

    def schedule(self, hours: float = 2, **more: str) -> dict[str, Any]:
        self.forward(hours=hours)
        return self.ci("schedule", **more)

    def forward(self, **span: float) -> None:
        self.clock.at += timedelta(**span)

    def ci(
        self, event: str, payload: Mapping[str, Any] | None = None, **environ: str
    ) -> dict[str, Any]:
        paths = {key: self.folder / key for key in ("EVENT_PATH", "OUTPUT", "STEP_SUMMARY")}
        for path in paths.values():
            path.write_text("")
        paths["EVENT_PATH"].write_text(json.dumps(payload or {}))
        given = {f"GITHUB_{key}": str(path) for key, path in paths.items()}
        given |= {"GITHUB_EVENT_NAME": event, "GITHUB_RUN_ID": "7"} | environ
        document = self.json("ci", code=None, environ=given)
        self.warnings = [warning["problem"] for warning in document["warnings"]]
        return document

    def json(
        self, *args: str, code: int | None = 0, environ: Mapping[str, str] = {}
    ) -> dict[str, Any]:
        done = self.run(*args, "--format", "json", code=code, environ=environ)
        document: dict[str, Any] = json.loads(done, parse_float=Decimal)
        return document

    def run(self, *args: str, code: int | None = 0, environ: Mapping[str, str] = {}) -> str:
        arguments = [*args, "-C", str(self.shop.work)]
        done = CliRunner().invoke(app, arguments, env=self.environ | dict(environ))
        found = getattr(done.exception, "exit_code", done.exit_code)
        is_bug = not hasattr(done.exception, "exit_code")
        if done.exception and is_bug and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert code is None or found == code, f"{args} -> {found}\n{done.output}\n{done.exception}"
        return done.stdout

    def push(self, files: Mapping[str, str], branch: str = "feature") -> str:
        """Commit files on a branch and push it."""
        self.shop.git("checkout", "-q", branch)
        commit = self.shop.commit(dict(files))
        self.shop.git("push", "-q", "--force", "origin", branch)
        self.shop.git("checkout", "-q", "main")
        return commit

    def push_branch(self, name: str, files: Mapping[str, str], base: str = "main") -> str:
        """Push a new branch with one commit."""
        self.shop.git("branch", name, base)
        return self.push(files, name)

    def configure(self, config: str) -> None:
        """Push a configuration to main."""
        self.push({".claude-batch.toml": config}, "main")

    # What was sent and posted

    def sent(self) -> int:
        """Requests in batches that were created, and at full price."""
        return len(self.prompts())

    def prompts(self) -> list[str]:
        in_batches = [json.dumps(params) for _, _, params in self.batches.submitted()]
        immediate = [
            json.dumps(entry.body)
            for entry in self.batches.log
            if entry.path == "/v1/messages" and entry.method == "POST" and entry.status == 200
        ]
        return in_batches + immediate

    def asked(self, line: str) -> int:
        """How many requests show this line of code as changed."""
        pattern = re.compile(rf"[1-9]\d*[a-z]{{3}}\+{re.escape(line)}")
        return sum(bool(pattern.search(prompt)) for prompt in self.prompts())

    def checks(self) -> list[dict[str, Any]]:
        """Bodies of the check runs, oldest first."""
        return [
            dict(entry.body or {})
            for entry in self.shop.hub.log
            if "/check-runs" in entry.path
            and entry.method in ("POST", "PATCH")
            and entry.status < 300
        ]

    def title(self) -> str:
        """The title of the check run that was written last."""
        checks = self.checks()
        return str(checks[-1]["output"]["title"]) if checks else ""

    def comments(self) -> list[str]:
        """Bodies of the posted review comments and comments, with those of each review."""
        return [str(item.body) for item in self.shop.hub.conversation(1)]


@contextmanager
def open_ci_runs(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    config: str = ONCE,
    seconds: float = 3_600,
    **server: Any,
) -> Iterator[CiRuns]:
    """`config` is the configuration on main; a batch takes `seconds`."""
    clock = Clock()
    path.mkdir(exist_ok=True)
    folder = path / "runner"
    folder.mkdir()
    with (
        open_shop(path) as shop,
        BatchesServer(seconds=seconds, now=clock, **server) as batches,
    ):
        shop.clock = clock
        if config:
            shop.commit({".claude-batch.toml": config})
            shop.git("rebase", "-q", "main", "feature")
            shop.git("push", "-q", "--force", "origin", "main", "feature")
            shop.git("checkout", "-q", "main")
        environ = {
            "ANTHROPIC_API_KEY": "key",
            "ANTHROPIC_BASE_URL": batches.url,
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_API_URL": shop.hub.url,
            "GITHUB_REPOSITORY": shop.hub.repository,
        }
        monkeypatch.setattr(program_clock, "utc_now", clock)
        monkeypatch.setattr(program_clock, "sleep", clock.forward)
        yield CiRuns(shop, batches, clock, folder, environ)
