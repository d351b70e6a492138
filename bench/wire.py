"""Run pushes of pull requests through submit and collect, and record what the server receives.

The repository's objects are borrowed by an empty one, where the ledgers and replayed commits go:
nothing is written to what is measured. Each pull request has a ledger of its own.
"""

import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.merged import MergedPullRequest
from bench.patches import git_patch, parse_hunks
from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.batches.collect import Collector
from claude_batch.config.model import Budget, Config
from claude_batch.costs.prices import Prices
from claude_batch.git.repository import Repository
from claude_batch.ledger.git_store import GitLedger
from claude_batch.prompts import repository_rules
from claude_batch.prompts.context import ContextSource
from claude_batch.prompts.kinds import find_kind
from claude_batch.sandbox.anthropic_server.reviewer import ANCHORED, ModelReply
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.anthropic_server.usage import count_input_tokens
from claude_batch.sandbox.anthropic_server.validation import prefix_blocks
from claude_batch.submission.planner import SubmissionPlanner
from claude_batch.submission.scope import ReviewScope
from claude_batch.submission.submit import submit
from claude_batch.tasks.discovery import ChangeFinder, DiscoveredChanges
from claude_batch.tasks.task import unique_tasks

CONFIG = Config(budget=Budget(pull_request=None, day=None, month=None))
KINDS = tuple(find_kind(kind) for kind in CONFIG.kinds)
PRICES = Prices.load()
NOTHING_FOUND = ModelReply('{"findings":[]}')
BATCHES = "/v1/messages/batches"
KIND = re.compile(r"^Kind: (\S+)", re.MULTILINE)
now = partial(datetime.now, UTC)


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as the server receives it."""

    model: str
    kind: str
    tokens: int  # as the test server counts them
    asked: int  # hunks with anchors
    blocks: tuple[str, ...]  # JSON of what a cache compares, in its order: schema, system, messages

    @classmethod
    def of(cls, params: Mapping[str, object]) -> "ReceivedRequest":
        texts = [str(block["text"]) for block in prefix_blocks(params) if isinstance(block, dict)]
        found = KIND.search(texts[0])
        return cls(
            str(params["model"]),
            found[1] if found else "",
            count_input_tokens(params),
            sum(_asked("\n".join(texts[1:]))),
            tuple(_json(block) for block in (params["output_config"], *texts)),
        )


def _json(block: object) -> str:
    return json.dumps(block, ensure_ascii=False, separators=(",", ":"))


def _asked(shown: str) -> Iterator[bool]:
    rows = shown.split("\n")
    for row, below in pairwise(rows):
        yield row.startswith("@@") and ANCHORED.fullmatch(below) is not None


@dataclass(frozen=True)
class Push:
    """The changes of one push, and the requests about them."""

    diff: int  # bytes that `git diff` prints
    hunks: frozenset[tuple[bytes, bytes]]
    tasks: int  # equal ones once
    sent: int  # bytes of the bodies that were posted, envelopes and all
    requests: tuple[ReceivedRequest, ...]

    @property
    def asked(self) -> int:
        return sum(request.asked for request in self.requests)

    @property
    def tokens(self) -> int:
        return sum(request.tokens for request in self.requests)


@dataclass
class WireProbe:
    """One repository with a server that finds nothing."""

    repository: Repository
    server: BatchesServer
    claude: AnthropicClient
    seen: list[ReceivedRequest]
    ids: Iterator[int] = field(default_factory=count)

    def pushes(self, pull: MergedPullRequest, heads: Sequence[tuple[str, str]]) -> tuple[Push, ...]:
        """Each of `heads`, a base and a head, is pushed when all before it is answered."""
        number = next(self.ids) + 1
        ref = f"refs/claude-batch/bench/{number}"
        ledger = GitLedger(self.repository.git, ref, None, "bench", now=now, sleep=time.sleep)
        return tuple(self._push(ledger, number, pull, base, head) for base, head in heads)

    def _push(
        self, ledger: GitLedger, number: int, pull: MergedPullRequest, base: str, head: str
    ) -> Push:
        finder, logged = ChangeFinder(self.repository), len(self.server.log)
        self.seen.clear()
        label = f"pull request {number}"
        look = finder.find_changes(
            self.repository.compare_commits(base, head, label), CONFIG.exclude
        )
        subject = self._subject(number, pull, base, look)
        planner = SubmissionPlanner(CONFIG, KINDS, PRICES, now(), lambda: f"{next(self.ids):016x}")
        submit(subject, planner, ledger, self.claude, now)
        done = Collector(ledger, self.claude, PRICES, "bench", now).collect()
        if ledger.view().open_batches() or any(a.outcome != "succeeded" for a in done.answers):
            raise AssertionError(f"{label}: not every request was answered")
        patch = git_patch(self.repository, look)
        return Push(
            len(patch),
            frozenset(parse_hunks(patch)),
            len(unique_tasks(subject.tasks)),
            self._posted(logged),
            tuple(self.seen),
        )

    def _subject(
        self, number: int, pull: MergedPullRequest, base: str, look: DiscoveredChanges
    ) -> ReviewScope:
        material = ContextSource(
            pull.title,
            pull.description,
            self.repository.read,
            lambda: self.repository.named_files(base, repository_rules.FILE_NAMES),
        )
        return ReviewScope(
            repo="octo/repository",
            run="bench",
            pr=number,
            comparison=look.comparison,
            tasks=look.tasks(KINDS),
            skipped=look.skipped,
            context_source=material,
        )

    def _posted(self, since: int) -> int:
        rows = self.server.log[since:]
        return sum(row.body_bytes for row in rows if (row.method, row.path) == ("POST", BATCHES))


@contextmanager
def open_probe(path: Path, environ: Mapping[str, str]) -> Iterator[WireProbe]:
    seen: list[ReceivedRequest] = []

    def review(params: dict[str, object]) -> ModelReply:
        seen.append(ReceivedRequest.of(params))
        return NOTHING_FOUND

    with TemporaryDirectory() as folder, BatchesServer(reviewer=review, now=now) as server:
        given = {"ANTHROPIC_API_KEY": "sandbox", "ANTHROPIC_BASE_URL": server.url}
        claude = AnthropicClient(given, sleep=time.sleep)
        yield WireProbe(borrow_objects(path, Path(folder), environ), server, claude, seen)
        claude.close()


def borrow_objects(path: Path, folder: Path, environ: Mapping[str, str]) -> Repository:
    """An empty repository in which all objects of another one can be read."""
    owner = Repository.open(path, environ)
    args = ["git", "init", "--quiet", "--bare", "--template=", str(folder)]
    subprocess.run(args, check=True, env=dict(environ))
    objects = owner.git.run("rev-parse", "--path-format=absolute", "--git-path", "objects").out
    (folder / "objects" / "info").mkdir(exist_ok=True)
    (folder / "objects" / "info" / "alternates").write_bytes(objects)
    head = owner.resolve("HEAD")
    borrower = Repository.open(folder, environ)
    borrower.git.run("update-ref", "--no-deref", "HEAD", head)
    return borrower
