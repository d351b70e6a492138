"""Twenty jobs at once against one budget: each has a clone of its own, all share one remote."""

import os
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from pathlib import Path

from claude_batch.config.model import Budget, Config
from claude_batch.diff.model import Comparison, Hunk
from claude_batch.git.process import Git
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import LedgerState
from claude_batch.prompts.kinds import find_kind
from claude_batch.submission.flush import FlushPlan, Submission, plan_flush
from claude_batch.submission.planner import SubmissionPlanner
from claude_batch.submission.scope import ReviewScope
from claude_batch.tasks.task import DiffOrigin, Task, TaskId
from ledger_events import START
from rig import PRICES
from scratch import Work

JOBS = 20
ROOM = 7
REF = "refs/heads/claude-batch-state"


def subject(job: int) -> ReviewScope:
    """A pull request of its own with one task; all of the same length."""
    name = f"t{job:02}"
    source = DiffOrigin(f"{name}.py", "1" * 40, "2" * 40)
    task = Task(TaskId(name), "review", f"{name}.py", Hunk(1, 1, b"+" + name.encode()), source)
    comparison = Comparison("b" * 40, "c" * 40, "", "", f"pull request {job}")
    return ReviewScope("octo/demo", f"run-{job}", job + 1, comparison, (task,), ())


def claimant(job: int, budget: Budget) -> SubmissionPlanner:
    ids = count()
    config = Config(budget=budget)
    kinds = (find_kind("review"),)
    return SubmissionPlanner(config, kinds, PRICES, START, lambda: f"{job:08x}{next(ids):08x}")


def ledger(path: Path, job: int) -> GitLedger:
    git = Git(dict(os.environ), path / ".git")
    return GitLedger(git, REF, "origin", f"run-{job}", now=lambda: START, sleep=time.sleep)


def test_twenty_jobs_never_exceed_one_budget_together(make_work: Callable[..., Work]) -> None:
    bare = make_work("remote.git", "init", "-q", "--bare")
    clones = [make_work(f"clone{job}") for job in range(JOBS)]
    for clone in clones:
        clone.git("remote", "add", "origin", f"file://{bare.path}")
    (one,) = claimant(0, Budget(month=None)).plan(LedgerState(), subject(0)).estimates
    month = one.usd_max * ROOM + one.usd_max / 2
    budget = Budget(pull_request=None, month=month)
    claims: dict[int, FlushPlan] = {}
    start = threading.Barrier(JOBS)

    def submit(job: int) -> None:
        def decide(view: LedgerState) -> Write:
            submission = Submission(claimant(job, budget), subject(job))
            claims[job] = plan_flush(view, [submission])
            return claims[job].write

        start.wait()
        ledger(clones[job].path, job).transact(decide)

    threads = [threading.Thread(target=submit, args=(job,)) for job in range(JOBS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    view = ledger(make_reader(make_work, bare), 99).view()
    reserved = sum((row.charge() for row in view.requests), Decimal(0))
    assert len(view.plans) == JOBS, "every job recorded what it looked at"
    assert len(view.batch_records) == ROOM
    assert reserved == one.usd_max * ROOM <= month
    sent = {job for job, made in claims.items() if made.batches}
    assert {row.request.pr for row in view.requests} == {job + 1 for job in sent}
    assert sum(made.parts[0].refused is not None for made in claims.values()) == JOBS - ROOM


def make_reader(make_work: Callable[..., Work], bare: Work) -> Path:
    reader = make_work("reader")
    reader.git("remote", "add", "origin", f"file://{bare.path}")
    return reader.path
