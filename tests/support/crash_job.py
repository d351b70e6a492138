"""One job of the crash tests: verbs with the command line's own builders, in a forked child.

A fork server imports the SDKs once, which takes two seconds; each job is a fork of it.
"""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Literal
from unittest.mock import patch

from claude_batch.cli import clock
from claude_batch.cli.commands import collect as collect
from claude_batch.cli.commands import publish as publish
from claude_batch.cli.commands import submit as submit
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import (
    open_ledgers,
    open_reconciler,
    open_repository,
    open_shared_ledger,
)
from claude_batch.git.repository import Repository
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.reconcile.reconciler import Reconciler
from claude_batch.tasks.sources import PathsSource, PullRequestSource

Verb = Literal["submit", "submit now", "submit paths", "collect", "publish", "event", "schedule"]
HURRY = 20.0  # pauses are so much shorter than a user's
COMMANDS = ("submit", "collect", "publish")
FORK = get_context("forkserver")
FORK.set_forkserver_preload(
    ["anthropic", "httpx2", "github", *(f"claude_batch.cli.{name}" for name in COMMANDS)]
)


@dataclass(frozen=True)
class Job:
    verbs: tuple[Verb, ...]
    folder: Path  # the clone
    environ: Mapping[str, str]
    ahead: timedelta  # its clock before the machine's
    pull: int
    said: Path  # its stderr

    def start(self) -> ForkServerProcess:
        process = FORK.Process(target=work, args=(self,), daemon=True)
        process.start()
        return process

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def hurried(seconds: float) -> None:
    time.sleep(seconds / HURRY)


def work(job: Job) -> None:
    with job.said.open("ab") as said:
        os.dup2(said.fileno(), 2)
    with patch.multiple(clock, utc_now=job.now, sleep=hurried):
        for verb in job.verbs:
            run(verb, open_repository(job.folder, job.environ), job.pull)


def run(verb: Verb, repository: Repository, pull: int) -> None:
    match verb:
        case "submit":
            submit.run(repository, PullRequestSource(pull), {}, share=True)
        case "submit now":
            submit.run(repository, PullRequestSource(pull), {"lane": "now"}, share=True)
        case "submit paths":
            submit.run(repository, PathsSource(("src/**",)), {"kinds": ("refactor",)}, share=True)
        case "collect":
            config = load_config(repository)
            collect.run(repository, config, open_ledgers(repository, config))
        case "event":
            reconciler(repository).reconcile_pull_request(pull)
        case "schedule":
            config = load_config(repository)
            collect.run(repository, config, open_ledgers(repository, config), resubmit=False)
            reconciler(repository).reconcile_all()
        case "publish":
            check_errors(publish.run(repository, None, {}))


def check_errors(results: Iterable[PublishResult]) -> None:
    for result in results:
        if result.error:
            raise result.error


def reconciler(repository: Repository) -> Reconciler:
    config = load_config(repository)
    ledger = open_shared_ledger(repository, config)
    ledger.rereads = False
    return open_reconciler(repository, config, ledger, "claude-batch-now")
