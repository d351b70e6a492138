"""Count the tasks of real pushes that are asked again because the code around them changed.

    python -m bench.context_changes REPOSITORY... [--pulls N]

Each repository is a clone or a bare git directory; nothing is written to it. A merged pull request
is pushed commit by commit, and then rebased on the branch that it was merged into, if that had
moved on. The shipped planner decides what is sent, and each request is answered at once without a
finding. A day passes between two pushes, so that the limit of one such re-ask a day hides none.
Prints Markdown.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import tables
from bench.merged import MergedPullRequest, list_merged, sample_evenly
from bench.replay import replay
from bench.stories import MOST_COMMITS, find_fork_point, list_commits
from bench.wire import CONFIG, KINDS, PRICES, borrow_objects
from claude_batch.anthropic_api.results import Outcome
from claude_batch.errors import CannotRead
from claude_batch.git.repository import Repository
from claude_batch.ledger.events import AnswerRecorded, AnyEvent, RequestRecorded
from claude_batch.ledger.view import LedgerState
from claude_batch.prompts.context import ContextSource
from claude_batch.submission.flush import FlushPlan, Submission, plan_flush
from claude_batch.submission.planner import SubmissionPlan, SubmissionPlanner
from claude_batch.submission.scope import ReviewScope
from claude_batch.tasks.discovery import ChangeFinder
from claude_batch.tasks.task import TaskId

START = datetime(2026, 1, 1, tzinfo=UTC)
BETWEEN_PUSHES = timedelta(days=1, minutes=1)
MAX_SHARE = 0.15  # tasks asked again for their context, of those newly asked

FIRST, LATER = "first pushes", "later pushes"
REBASE_EQUAL = "rebases, hunks and definitions equal"
REBASE_CHANGED = "rebases, hunks equal, a definition changed"
REBASE_NEW = "rebases, the context lines of a hunk changed"
KINDS_OF_PUSH = (FIRST, LATER, REBASE_EQUAL, REBASE_CHANGED, REBASE_NEW)


@dataclass
class PushCounts:
    """Sums over the pushes of one kind."""

    pushes: int = 0
    with_reasks: int = 0
    tasks: int = 0
    new: int = 0  # tasks that were asked for the first time
    changed: int = 0  # known tasks in a definition that differs from the push before
    reasked: int = 0  # those that were asked again for it
    requests: int = 0

    @classmethod
    def from_plan(cls, part: SubmissionPlan, before: Mapping[TaskId, str]) -> "PushCounts":
        sent = [part.work.readings[task.id] for task in part.candidate.tasks]
        reasked = sum(reading.is_reask for reading in sent)
        definitions = part.work.definitions
        return cls(
            pushes=1,
            with_reasks=int(reasked > 0),
            tasks=len(definitions),
            new=len(sent) - reasked,
            changed=sum(before.get(task, now) != now for task, now in definitions.items()),
            reasked=reasked,
            requests=len(part.requests),
        )

    def __iadd__(self, other: "PushCounts") -> "PushCounts":
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


@dataclass
class RepositoryCounts:
    pulls: int = 0
    conflicts: int = 0  # rebases that need a person
    left_out: int = 0  # pull requests with commits that this copy lacks
    by_kind: dict[str, PushCounts] = field(
        default_factory=lambda: {kind: PushCounts() for kind in KINDS_OF_PUSH}
    )

    def __iadd__(self, other: "RepositoryCounts") -> "RepositoryCounts":
        self.pulls += other.pulls
        self.conflicts += other.conflicts
        self.left_out += other.left_out
        for kind, counts in other.by_kind.items():
            self.by_kind[kind] += counts
        return self

    def sum(self, *kinds: str) -> PushCounts:
        total = PushCounts()
        for kind in kinds:
            total += self.by_kind[kind]
        return total

    @property
    def is_on_target(self) -> bool:
        total = self.sum(*KINDS_OF_PUSH)
        is_rare = total.reasked <= MAX_SHARE * total.new
        return is_rare and not self.by_kind[REBASE_EQUAL].requests


@dataclass
class PullRequestReplay:
    """One pull request, with a ledger of its own in memory."""

    repository: Repository
    pull: MergedPullRequest
    events: list[AnyEvent] = field(default_factory=list)
    now: datetime = START
    definitions: Mapping[TaskId, str] = field(default_factory=dict)  # of the last push
    ids: Iterator[int] = field(default_factory=count)

    def run(self) -> RepositoryCounts:
        counts = RepositoryCounts(pulls=1)
        git, commits = self.repository.git, list_commits(self.repository.git, self.pull)
        for index, head in enumerate(commits):
            counts.by_kind[LATER if index else FIRST] += self._push(head)
        if find_fork_point(git, self.pull):
            rebased = replay(git, commits, self.pull.base)
            if rebased is None:
                counts.conflicts += 1
            else:
                before = self.definitions
                pushed = self._push(rebased)
                counts.by_kind[self._kind_of_rebase(before)] += pushed
        return counts

    def _push(self, head: str) -> PushCounts:
        self.now += BETWEEN_PUSHES
        planner = SubmissionPlanner(
            CONFIG, KINDS, PRICES, self.now, lambda: f"{next(self.ids):016x}"
        )
        state = LedgerState.from_events(self.events)
        flush = plan_flush(state, [Submission(planner, self._scope(head))])
        (part,) = flush.parts
        self.events += [*flush.write.events, *self._answers(flush)]
        before, self.definitions = self.definitions, part.work.definitions
        return PushCounts.from_plan(part, before)

    def _scope(self, head: str) -> ReviewScope:
        comparison = self.repository.compare_commits(self.pull.base, head, "pull request 1")
        changes = ChangeFinder(self.repository).find_changes(comparison, CONFIG.exclude)
        return ReviewScope(
            repo="octo/repository",
            run="bench",
            pr=1,
            comparison=changes.comparison,
            tasks=changes.tasks(KINDS),
            skipped=changes.skipped,
            context_source=ContextSource(
                self.pull.title, self.pull.description, self.repository.read
            ),
        )

    def _answers(self, flush: FlushPlan) -> Iterator[AnswerRecorded]:
        for event in flush.write.events:
            if isinstance(event, RequestRecorded):
                yield AnswerRecorded(
                    at=self.now + timedelta(seconds=1),
                    run=event.run,
                    repo=event.repo,
                    intent=event.intent,
                    n=event.n,
                    batch=None,
                    outcome=Outcome.SUCCEEDED,
                    model=event.model,
                )

    def _kind_of_rebase(self, before: Mapping[TaskId, str]) -> str:
        if self.definitions.keys() - before.keys():
            return REBASE_NEW
        is_equal = all(before[task] == now for task, now in self.definitions.items())
        return REBASE_EQUAL if is_equal else REBASE_CHANGED


def measure(path: Path, environ: Mapping[str, str], max_pulls: int) -> RepositoryCounts:
    """Replay at most `max_pulls` pull requests, evenly spread over the history."""
    total = RepositoryCounts()
    with TemporaryDirectory() as folder:
        repository = borrow_objects(path, Path(folder), environ)
        pulls = [pull for pull in list_merged(repository.git) if not pull.squashed]
        for pull in sample_evenly(pulls, max_pulls):
            try:
                if len(list_commits(repository.git, pull)) <= MOST_COMMITS:
                    total += PullRequestReplay(repository, pull).run()
            except CannotRead:
                total.left_out += 1
    return total


def report(by_repository: Mapping[str, RepositoryCounts]) -> Iterator[str]:
    total = RepositoryCounts()
    yield from tables.head(
        "repository", "pull requests", "pushes", "rebases", "newly asked", "asked again", "share"
    )
    for name, counts in by_repository.items():
        yield _repository_row(name, counts)
        total += counts
    yield _repository_row("**all**", total)
    yield ""
    yield from tables.head(
        *("", "pushes", "tasks", "newly asked", "known, definition changed"),
        *("asked again", "in pushes", "requests"),
    )
    for kind, row in total.by_kind.items():
        cells = (
            *(row.pushes, row.tasks, row.new, row.changed),
            *(row.reasked, row.with_reasks, row.requests),
        )
        yield tables.row([kind, *(f"{cell:,}" for cell in cells)])
    yield f"\nRebases that conflict: {total.conflicts}. Without all objects: {total.left_out}."


def _repository_row(name: str, counts: RepositoryCounts) -> str:
    pushed = counts.sum(FIRST, LATER)
    rebased = counts.sum(REBASE_EQUAL, REBASE_CHANGED, REBASE_NEW)
    both = counts.sum(*KINDS_OF_PUSH)
    cells = (counts.pulls, pushed.pushes, rebased.pushes, both.new, both.reasked)
    return tables.row(
        [name, *(f"{cell:,}" for cell in cells), tables.share(both.reasked, both.new)]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Tasks asked again for the code around them.")
    parser.add_argument("repository", nargs="+", type=Path)
    parser.add_argument("--pulls", type=int, default=100, help="of each repository")
    given = parser.parse_args()
    by_repository: dict[str, RepositoryCounts] = {}
    total = RepositoryCounts()
    for path in given.repository:
        name = path.parent.name if path.name in ("repo", ".git") else path.name
        by_repository[name] = measure(path, os.environ, given.pulls)
        total += by_repository[name]
        sys.stderr.write(f"{name}: {by_repository[name].pulls} pull requests\n")
    sys.stdout.write("\n".join(report(by_repository)) + "\n")
    return 0 if total.is_on_target else 1


if __name__ == "__main__":
    sys.exit(main())
