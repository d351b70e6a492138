"""The ledger writes of many runs, as values: pushes to pull requests over sixty days."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.results import Outcome, Usage
from claude_batch.diff.model import Side
from claude_batch.findings.anchors import AnchoredTask, hash_line
from claude_batch.findings.finding import Category, Confidence, Finding, Severity
from claude_batch.ledger.events import (
    AnswerRecorded,
    BatchStatus,
    Estimate,
    Intent,
    IntentId,
    Plan,
    PullRequestClosed,
    RequestRecorded,
    Submitted,
)
from claude_batch.ledger.store import Shard, Write
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId

START = datetime(2026, 9, 1, tzinfo=UTC)
SPAN = timedelta(days=60)
END = START + SPAN
FILES, TASKS_OF_A_FILE = 4, 5  # a run has twenty tasks; those of a file are one request
RUNS_OF_A_PULL = 4
MODEL = "claude-sonnet-5-5"
TEXT = 600  # characters of a finding
DOCS = Path(__file__).parents[1] / "docs"
LINES = (8, 24)  # of a hunk
COMMON = tuple(hash_line(b"common %d" % number) for number in range(100))


@dataclass
class Runs:
    """A deterministic sequence of runs."""

    count: int
    with_text: bool
    name: str = "gh15012345678-1-0123abcd"
    _dice: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311
    _prose: str = field(init=False)

    def __post_init__(self) -> None:
        self._prose = " ".join(path.read_text() for path in sorted(DOCS.glob("*.md")))

    @property
    def requests(self) -> int:
        return self.count * FILES

    def writes(self) -> Iterator[tuple[datetime, Write]]:
        """Each with its time. Answers arrive an hour later, in the order of the runs."""
        for number in range(self.count):
            at = START + SPAN * number / self.count
            pr = 1 + number // RUNS_OF_A_PULL
            yield from self._run(at, pr)
            if number % RUNS_OF_A_PULL == RUNS_OF_A_PULL - 1:
                closed = at + timedelta(hours=2)
                yield closed, Write((PullRequestClosed(**self._head(closed), pr=pr, merged=True),))

    def _run(self, at: datetime, pr: int) -> Iterator[tuple[datetime, Write]]:
        intent = IntentId(self._hex(16))
        batch = BatchId(f"msgbatch_01{self._hex(22)}")
        asked = [self._asked(at, pr, intent, n) for n in range(FILES)]
        claim = Intent(
            **self._head(at),
            id=intent,
            lease_until=at + timedelta(minutes=30),
            lane="batch",
            requests=len(asked),
            sha256=self._hex(64),
        )
        yield at, Write((self._plan(at, pr, asked), claim, *asked))
        sent = at + timedelta(seconds=3)
        yield (
            sent,
            Write(
                (
                    Submitted(
                        **self._head(sent),
                        intent=intent,
                        batch=batch,
                        created_at=sent,
                        expires_at=sent + timedelta(days=1),
                    ),
                )
            ),
        )
        back = at + timedelta(hours=1)
        done = BatchStatus(**self._head(back), batch=batch, status="collected")
        answers = [self._answered(back, one, batch) for one in asked]
        shards = [self._shard(one) for one in asked] if self.with_text else ()
        yield back, Write((*answers, done), tuple(shards))

    def _plan(self, at: datetime, pr: int, asked: list[RequestRecorded]) -> Plan:
        files = [
            PlannedFile(
                path=one.tasks[0].path,
                old_path=one.tasks[0].path,
                old_blob=self._hex(40),
                new_blob=self._hex(40),
                tasks=tuple(
                    PlannedTask(
                        id=task.id,
                        kind="review",
                        old_start=self._dice.randint(1, 900),
                        new_start=self._dice.randint(1, 900),
                    )
                    for task in one.tasks
                ),
            )
            for one in asked
        ]
        return Plan(
            **self._head(at),
            id=self._hex(16),
            pr=pr,
            label=f"pull request {pr}",
            base=self._hex(40),
            head=self._hex(40),
            files=tuple(files),
            new=FILES * TASKS_OF_A_FILE,
            reused=0,
        )

    def _asked(self, at: datetime, pr: int, intent: IntentId, n: int) -> RequestRecorded:
        path = f"src/package_{self._dice.randint(1, 40)}/module_{self._dice.randint(1, 400)}.py"
        usd = self._usd()
        return RequestRecorded(
            **self._head(at),
            intent=intent,
            n=n,
            sha=self._hex(64),
            pr=pr,
            kind="review",
            model=MODEL,
            effort="medium",
            tasks=tuple(self._task(path) for _ in range(TASKS_OF_A_FILE)),
            estimate=Estimate(
                input_tokens=self._dice.randint(3_000, 9_000),
                output_tokens=self._dice.randint(500, 2_000),
                usd=usd,
                usd_standard=usd * 2,
                usd_max=usd * 5,
            ),
        )

    def _task(self, path: str) -> AnchoredTask:
        signs = "".join(self._dice.choices(" +-", k=self._dice.randint(*LINES)))
        hashes = "".join(self._line_hash() for _ in signs)
        return AnchoredTask(id=TaskId(self._hex(64)), path=path, signs=signs, hashes=hashes)

    def _line_hash(self) -> str:
        """A third of the lines of real diffs stand in them more than once."""
        dice = self._dice
        return hash_line(dice.randbytes(9)) if dice.randrange(3) else dice.choice(COMMON)

    def _answered(self, at: datetime, asked: RequestRecorded, batch: BatchId) -> AnswerRecorded:
        usage = Usage(
            input=self._dice.randint(3_000, 9_000),
            output=self._dice.randint(500, 2_000),
            thinking=self._dice.randint(100, 300),
        )
        usd = self._usd()
        return AnswerRecorded(
            **self._head(at),
            intent=asked.intent,
            n=asked.n,
            batch=batch,
            outcome=Outcome.SUCCEEDED,
            model=MODEL,
            usage=usage,
            usd=usd,
            usd_standard=usd * 2,
            findings=len(asked.tasks) if self.with_text else 0,
        )

    def _shard(self, asked: RequestRecorded) -> Shard:
        return Shard(asked.intent, asked.n, tuple(map(self._finding, asked.tasks)))

    def _finding(self, task: AnchoredTask) -> Finding:
        start = self._dice.randrange(len(self._prose) - TEXT)
        title, body = self._prose[start:][:60], self._prose[start + 60 :][: TEXT - 60]
        first = self._dice.randrange(len(task.signs))
        return Finding(
            id=self._hex(16),
            fingerprint=self._hex(16),
            task=task.id,
            kind="review",
            path=task.path,
            first=first,
            last=first,
            side=Side.RIGHT,
            category=Category.BUG,
            severity=Severity.MEDIUM,
            confidence=Confidence.HIGH,
            title=title,
            body=body,
        )

    def _head(self, at: datetime) -> dict[str, object]:
        return {"at": at, "run": self.name, "repo": "octo/shop"}

    def _hex(self, digits: int) -> str:
        return f"{self._dice.getrandbits(4 * digits):0{digits}x}"

    def _usd(self) -> Decimal:
        return Decimal(self._dice.randint(1_000_000, 9_000_000)).scaleb(-9)
