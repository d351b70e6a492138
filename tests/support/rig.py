"""The verbs on real parts: a ledger in git, the look-alikes over HTTP, one clock for all."""

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.batches.collect import Collector
from claude_batch.batches.collect_result import CollectResult
from claude_batch.config.model import Config
from claude_batch.costs.prices import Prices
from claude_batch.diff.model import Comparison
from claude_batch.git.repository import Repository
from claude_batch.github_api.client import GitHubClient
from claude_batch.ledger.events import AnswerRecorded
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.view import LedgerState
from claude_batch.prompts.kinds import find_kind
from claude_batch.pull_requests.publish import Publisher, PublishResult
from claude_batch.pull_requests.review_input import PullRequestState
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply, review
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.http_messages import FindFault
from claude_batch.submission.flush import FlushPlan, Submission, plan_flush
from claude_batch.submission.planner import SubmissionPlanner, SubmitResult
from claude_batch.submission.scope import ReviewScope
from claude_batch.submission.send import PrimerWait
from claude_batch.submission.submit import submit
from claude_batch.tasks.discovery import ChangeFinder, DiscoveredChanges
from claude_batch.tasks.task import Kind
from claude_batch.tasks.task_file import parse_task_file
from shop import Shop, environ, open_shop

REPO = "octo/shop"
PRICES = Prices.load()
NOTHING = ModelReply('{"findings":[]}')
ROW = re.compile(r"([1-9]\d*[a-z]{3})([ +-])(.*)")


class Clock:
    """Each reading is a second later, so that what happens first is recorded as earlier."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass
class Reviewer:
    """Answers by path: what is not in `replies` has no findings."""

    replies: dict[str, ModelReply] = field(default_factory=dict)

    def __call__(self, params: Mapping[str, object]) -> ModelReply:
        shown = content(params)
        return next((r for path, r in self.replies.items() if f'path="{path}"' in shown), NOTHING)


def content(params: Mapping[str, object]) -> str:
    messages = params["messages"]
    assert isinstance(messages, list)
    said = messages[0]["content"]
    return said if isinstance(said, str) else "".join(block["text"] for block in said)


def anchors(params: Mapping[str, object]) -> dict[str, str]:
    """The anchor of each line that may be spoken about, by the line's text."""
    found = (ROW.fullmatch(row) for row in content(params).split("\n"))
    return {match[3]: match[1] for match in found if match}


def find(*lines: str, **more: object) -> "Finder":
    return Finder(lines, more)


@dataclass(frozen=True)
class Finder:
    """A reviewer that says something about each of these lines wherever it is shown them."""

    lines: Sequence[str]
    more: Mapping[str, object]

    def __call__(self, params: Mapping[str, object]) -> ModelReply:
        shown = anchors(params)
        said = [finding(shown[line], line, **self.more) for line in self.lines if line in shown]
        return ModelReply(json.dumps({"findings": said}))


def finding(anchor: str, line: str, **more: object) -> dict[str, object]:
    return {
        "from": anchor,
        "to": anchor,
        "severity": "high",
        "confidence": "high",
        "category": "bug",
        "title": f"About {line}",
        "body": "It goes wrong.",
        "replacement": None,
        **more,
    }


@dataclass
class Rig:
    folder: Path
    clock: Clock
    server: BatchesServer
    claude: AnthropicClient
    ledger: GitLedger
    slept: list[float]
    config: Config = field(default_factory=Config)
    run: str = "run-1"
    ids: Iterator[int] = field(default_factory=count)
    said: list[str] = field(default_factory=list)

    @property
    def view(self) -> LedgerState:
        return self.ledger.view()

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return tuple(find_kind(kind) for kind in self.config.kinds)

    def claimant(self) -> SubmissionPlanner:
        return SubmissionPlanner(self.config, self.kinds, PRICES, self.clock(), self.new_id)

    def new_id(self) -> str:
        return f"{next(self.ids):016x}"

    def given(self, *rows: Mapping[str, object], pr: int | None = 7) -> ReviewScope:
        """Tasks from a file; such a one needs no diff."""
        lines = [json.dumps(row).encode() for row in rows]
        comparison = Comparison("b" * 40, "c" * 40, "", "", f"pull request {pr}")
        return ReviewScope(REPO, self.run, pr, comparison, parse_task_file(lines, self.kinds), ())

    def apart(self, *paths: str, pr: int | None = 7) -> ReviewScope:
        """Tasks so large that each has a request of its own."""
        return self.given(
            *({"path": path, "text": f"{path} {'x' * 99}\n" * 250} for path in paths), pr=pr
        )

    def submit(self, subject: ReviewScope) -> SubmitResult:
        return submit(subject, self.claimant(), self.ledger, self.claude, self.clock)

    def plan(self, scope: ReviewScope, *, waits_for_primers: bool = False) -> FlushPlan:
        """The batches of a submission, not recorded yet."""
        planner = replace(self.claimant(), waits_for_primers=waits_for_primers)
        return plan_flush(self.view, [Submission(planner, scope)])

    def submit_and_go_on(self, subject: ReviewScope) -> SubmitResult:
        """What follows a primer waits for it; a second of waiting takes none."""
        claimant = replace(self.claimant(), waits_for_primers=True)
        return submit(subject, claimant, self.ledger, self.claude, self.clock, self.hold())

    def hold(self) -> PrimerWait:
        def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.clock.forward(seconds=seconds)

        return PrimerWait(self.claude, self.clock, sleep, self.said.append)

    def collector(self) -> Collector:
        keep = self.config.retention == "answers"
        return Collector(self.ledger, self.claude, PRICES, self.run, self.clock, keep)

    def collect(self) -> CollectResult:
        return self.collector().collect()

    def answers(self) -> dict[str, AnswerRecorded]:
        """By the path of the first task."""
        rows = [row for row in self.view.requests if row.answer]
        return {row.request.tasks[0].path: row.answer for row in rows if row.answer}

    def sent(self) -> list[str]:
        """The method and path of each call to the Messages API that costs something."""
        rows = [row for row in self.server.log if row.method == "POST"]
        return [row.path for row in rows if row.path.endswith(("/batches", "/messages"))]


@contextmanager
def open_rig(
    folder: Path,
    *,
    reviewer: object = review,
    faults: FindFault = lambda call: None,
    seconds: float = 0.0,
    remote: str | None = None,
    run: str = "run-1",
) -> Iterator[Rig]:
    """`folder` is a repository; the ledger is a ref of it, or the state branch of `remote`."""
    clock, slept = Clock(), list[float]()
    server = BatchesServer(
        reviewer=reviewer,  # type: ignore[arg-type]
        faults=faults,
        seconds=seconds,
        now=lambda: clock.at,
    )
    with server:
        given = {"ANTHROPIC_API_KEY": "sandbox", "ANTHROPIC_BASE_URL": server.url}
        claude = AnthropicClient(given, sleep=slept.append)
        ledger = ledger_in(folder, clock, remote=remote, run=run)
        yield Rig(folder, clock, server, claude, ledger, slept, run=run)
        claude.close()


def ledger_in(folder: Path, clock: Clock, *, remote: str | None = None, run: str) -> GitLedger:
    ref = "refs/heads/claude-batch-state" if remote else "refs/claude-batch/local"
    git = Repository.open(folder, environ()).git
    return GitLedger(git, ref, remote, run, now=clock, sleep=time.sleep)


@dataclass
class PullRig:
    """A rig on a shop: what CI does for one pull request."""

    rig: Rig
    shop: Shop
    number: int
    forge: GitHubClient
    looks_again: bool = False  # else a finding is published without a second look

    def look(self) -> DiscoveredChanges:
        repository = Repository.open(self.shop.work, environ())
        looker = ChangeFinder(repository)
        comparison = looker.compare_pull(self.forge, self.forge.get_pull_request(self.number))
        return looker.find_changes(comparison, self.rig.config.exclude)

    def submit(self) -> SubmitResult:
        look = self.look()
        subject = ReviewScope(
            REPO,
            self.rig.run,
            self.number,
            look.comparison,
            look.tasks(self.rig.kinds),
            look.skipped,
        )
        return self.rig.submit(subject)

    def publisher(self, run: str | None = None) -> Publisher:
        rig = self.rig
        return Publisher(rig.ledger, self.forge, rig.claude, run or rig.run, REPO, rig.clock)

    def scene(self) -> PullRequestState:
        look, repository = self.look(), Repository.open(self.shop.work, environ())
        pull, config = self.forge.get_pull_request(self.number), self.rig.config
        if not self.looks_again:
            config = config.model_copy(update={"verify": None})
        return PullRequestState(
            pull,
            look.diff,
            look.tasks(self.rig.kinds),
            lambda path: repository.blob(pull.head_sha, path),
            config,
            ChangeFinder(repository).earlier_readers(pull.head_sha),
        )

    def publish(self, *, dry_run: bool = False, run: str | None = None) -> PublishResult:
        return self.publisher(run).publish(self.scene(), dry_run=dry_run)

    def reviewed(self) -> list[tuple[str, int | None]]:
        """Path and line of each review comment that stands."""
        return [(str(one.path), one.line) for one in self.forge.list_review_comments(self.number)]

    def summary(self) -> str:
        (one,) = self.forge.list_comments(self.number)
        return one.body


@contextmanager
def open_answered(folder: Path, *lines: str) -> Iterator[PullRig]:
    """A pull request with answers about these lines, in the ledger of its remote."""
    with (
        open_shop(folder) as shop,
        open_rig(shop.work, remote="origin", reviewer=find(*lines)) as rig,
    ):
        pull = open_pull(rig, shop)
        pull.submit()
        rig.collect()
        yield pull


def open_pull(rig: Rig, shop: Shop) -> PullRig:
    shop.clock = lambda: rig.clock.at
    number, _ = shop.feature()
    return PullRig(rig, shop, number, shop.forge())
