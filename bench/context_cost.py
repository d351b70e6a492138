"""Measure the bytes that a first push sends per byte of diff, by part and by size of the diff.

    python -m bench.context_cost REPOSITORY...

Each repository is a clone or a bare git directory with the history of merged pull requests:
merge commits, or commits whose subject ends with (#NUMBER). An even sample of each is asked
about as `submit` would ask, with nothing known, and nothing is sent. Prints Markdown.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench import tables
from bench.merged import MergedPullRequest, list_merged, sample_evenly
from bench.patches import git_patch
from claude_batch.batches.batching import PreparedRequest
from claude_batch.config.model import Config
from claude_batch.costs import estimates
from claude_batch.costs.prices import Prices
from claude_batch.findings.finding import Finding
from claude_batch.git.repository import Repository
from claude_batch.ledger.view import LedgerState
from claude_batch.prompts import repository_rules
from claude_batch.prompts.context import ContextSource
from claude_batch.prompts.kinds import find_kind
from claude_batch.submission import requests
from claude_batch.submission.flush import Submission, plan_flush
from claude_batch.submission.planner import SubmissionPlanner
from claude_batch.submission.scope import ReviewScope
from claude_batch.tasks.discovery import ChangeFinder
from claude_batch.tasks.plan import PlannedTask
from claude_batch.tasks.task import DiffOrigin
from claude_batch.verification import requests as verification_requests
from claude_batch.verification.evidence import build_excerpt
from claude_batch.verification.requests import Claim

EACH = 90  # pull requests of one repository
PARTS = ("instructions, schema", "diff with anchors", "context", "rules, title, description")
TITLE, BODY = 60, 250  # characters of a finding
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class ContextSize:
    """Bytes. `parts`: in the order of PARTS, over all requests of one pull request."""

    diff: int
    requests: int
    tasks: int
    parts: tuple[int, ...]
    verification: int  # bytes to verify one finding of each request

    @property
    def total(self) -> int:
        return sum(self.parts)


def measure(repository: Repository, pull: MergedPullRequest) -> ContextSize | None:
    """Return None if nothing in it is reviewed."""
    finder = ChangeFinder(repository)
    look = finder.find_changes(repository.compare_range(pull.base, pull.head), ())
    kinds = (find_kind("review"),)
    subject = ReviewScope("a/b", "run", 1, look.comparison, look.tasks(kinds), ())
    if not subject.tasks:
        return None
    context = ContextSource(read_blobs=repository.read)
    whole = replace(
        context,
        title=pull.title,
        description=pull.description,
        read_rule_files=lambda: repository.named_files(pull.base, repository_rules.FILE_NAMES),
    )
    claimed = [
        _drafts(replace(subject, context_source=material))
        for material in (ContextSource(), context, whole)
    ]
    sums = [sum(draft.body.size for draft in drafts) for drafts in claimed]
    bare = _instructions() * len(claimed[0])
    verification = sum(_verification_size(draft, subject, repository) for draft in claimed[-1])
    parts = (bare, sums[0] - bare, sums[1] - sums[0], sums[2] - sums[1])
    tasks = len({task.id for task in subject.tasks})
    return ContextSize(
        len(git_patch(repository, look)), len(claimed[0]), tasks, parts, verification
    )


def _drafts(subject: ReviewScope) -> list[PreparedRequest]:
    config = Config.model_validate({"budget": {"pull_request": False, "month": False}})
    ids = (f"{n:016x}" for n in range(10**9))
    kinds = (find_kind("review"),)
    planner = SubmissionPlanner(config, kinds, Prices.load(), NOW, lambda: next(ids))
    claim = plan_flush(LedgerState.from_events(()), [Submission(planner, subject)])
    return [draft for batch in claim.batches for draft in batch.requests]


def _verification_size(draft: PreparedRequest, subject: ReviewScope, repository: Repository) -> int:
    """Return the bytes to verify a finding on the middle line of the middle task."""
    asked = draft.event.tasks[len(draft.event.tasks) // 2]
    task = next(task for task in subject.tasks if task.id == asked.id)
    planned = PlannedTask(
        id=task.id, kind="review", old_start=task.hunk.old_start, new_start=task.hunk.new_start
    )
    assert isinstance(task.origin, DiffOrigin)  # noqa: S101 - the tasks come from a diff
    blobs = task.origin.old_blob, task.origin.new_blob
    content = repository.read(oid for oid in blobs if oid.strip("0"))
    code = build_excerpt(asked, planned, *(content.get(oid, b"") for oid in blobs))
    if code is None:
        return 0
    at = len(asked.signs) // 2
    finding = Finding(
        id="0" * 16,
        fingerprint="0" * 16,
        task=task.id,
        kind="review",
        path=task.path,
        first=at,
        last=at,
        category="bug",
        severity="high",
        confidence="high",
        title="x" * TITLE,
        body="x" * BODY,
    )
    case = Claim(finding, draft.event, "batch", asked, code)
    return verification_requests.build_request([case], Config().verify or "").body.size


def _instructions() -> int:
    return requests.build_request(
        find_kind("review"), requests.RequestTasks(()), Config(), 9_999
    ).body.size


def table(rows: Sequence[ContextSize]) -> Iterator[str]:
    head = ("diff", "pull requests", "diff bytes", *PARTS, "all bytes", "÷ diff", "tokens/request")
    yield from tables.head(*head)
    for name, _ in tables.SIZES:
        yield _sum(name, [row for row in rows if tables.size_of(row.diff) == name])
    yield _sum("**all**", rows)


def _sum(name: str, rows: Sequence[ContextSize]) -> str:
    if not rows:
        return tables.row([name, "0"])
    diff, total = sum(row.diff for row in rows), sum(row.total for row in rows)
    parts = [sum(row.parts[at] for row in rows) for at in range(len(PARTS))]
    request_count = sum(row.requests for row in rows)
    return tables.row(
        [
            name,
            f"{len(rows)}",
            f"{diff:,}",
            *(f"{part:,} ({part / diff:.2f})" for part in parts),
            f"{total:,}",
            f"**{total / diff:.2f}**",
            f"{_tokens(total) // request_count:,}",
        ]
    )


def after_each_part(rows: Sequence[ContextSize]) -> Iterator[str]:
    request_count, diff, running = (
        sum(row.requests for row in rows),
        sum(row.diff for row in rows),
        0,
    )
    yield from tables.head("with", "bytes/request", "tokens/request", "÷ diff")
    for at, name in enumerate(PARTS):
        running += sum(row.parts[at] for row in rows)
        label = name if at == 0 else f"+ {name}"
        each, share = running // request_count, running / diff
        yield tables.row(
            [label, f"{each:,}", f"{_tokens(running) // request_count:,}", f"{share:.2f}"]
        )
    verification = sum(row.verification for row in rows)
    each, share = verification // request_count, verification / diff
    label = "verification, one finding a request"
    yield tables.row(
        [label, f"{each:,}", f"{_tokens(verification) // request_count:,}", f"{share:.2f}"]
    )
    tasks, effort = sum(row.tasks for row in rows), Config().effort
    output = estimates.estimate_output_tokens(diff // request_count, tasks // request_count, effort)
    yield tables.row(["output, thinking included (assumed)", "", f"{output:,}", ""])


def _tokens(size: int) -> int:
    return estimates.estimate_input_tokens(size, Config().model)


def main(paths: Sequence[str]) -> int:
    if not paths:
        sys.stderr.write("error: no repository is named\n help: give paths of clones\n")
        return 2
    measured: list[ContextSize] = []
    for path in paths:
        repository = Repository.open(Path(path), os.environ)
        pulls = sample_evenly(list_merged(repository.git), EACH)
        sizes = [size for pull in pulls if (size := measure(repository, pull))]
        sys.stderr.write(f"{path}: {len(sizes)} pull requests\n")
        measured += sizes
    sys.stdout.write("\n".join([*table(measured), "", *after_each_part(measured)]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
