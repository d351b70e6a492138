"""Ledgers in the repositories of tests."""

import os
import time
from pathlib import Path

from claude_batch.git.process import Git
from claude_batch.ledger.git_store import GitLedger
from ledger_events import START
from scratch import Work

REF = "refs/heads/claude-batch-state"


SEEN = "refs/claude-batch/remote/origin/claude-batch-state"


def open_ledger(work: Work, remote: str | None = "origin", **more: object) -> GitLedger:
    git_dir = work.git("rev-parse", "--absolute-git-dir").decode().strip()
    ledger = GitLedger(
        Git(dict(os.environ), Path(git_dir)),
        REF if remote else "refs/claude-batch/local",
        remote,
        run="run-1",
        now=lambda: START,
        sleep=time.sleep,
    )
    for name, value in more.items():
        setattr(ledger, name, value)
    return ledger
