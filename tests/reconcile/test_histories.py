"""Whatever goes wrong: in the end every pull request is reviewed, once, and nothing looked clean
before it was.

A history is a row of steps drawn by hypothesis: pushes, closed and reopened pull requests, other
bases, events that are lost, late or repeated, refused and lost answers of both services, budgets
that are taken away, and runs that are killed. Then the services are well again and the schedule
runs. Git and HTTP are real; the ledger is in memory, because tests/ledger has it in git.
"""

import random
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ci_runs import Clock
from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.batches.collect import Collector
from claude_batch.config.model import Budget, Config
from claude_batch.costs.prices import Prices
from claude_batch.errors import ClaudeBatchError
from claude_batch.git.repository import Repository
from claude_batch.ledger.events import Stamp
from claude_batch.reconcile.reconciler import Reconciler
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.http_messages import Fault, HttpRequest, no_fault
from claude_batch.waiting.settings import WaitingSettings
from claude_batch.waiting.task_states import TaskState, read_plan
from github_faults import bad_gateway
from memory_ledger import MemoryLedger
from shop import Shop, environ, open_shop

REPO = "acme/shop"
PRICES = Prices.load()
STEPS = st.lists(
    st.sampled_from(
        [
            *("push", "push", "event", "event", "schedule", "schedule", "late"),
            *("close", "reopen", "base", "budget", "refuse", "lose", "github", "kill", "wait"),
        ]
    ),
    min_size=3,
    max_size=9,
)
SAMPLE = settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
DEEP = settings(SAMPLE, max_examples=2_000)


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


@dataclass
class History:
    shop: Shop
    batches: BatchesServer
    anthropic: AnthropicClient
    clock: Clock
    ledger: MemoryLedger
    rng: random.Random
    config: Config = field(default_factory=lambda: Config(verify=None))
    kill_at: int = 0  # writes of the ledger until the process is killed; 0: it is not
    pushes: int = 0
    runs: int = 0

    def step(self, name: str) -> None:
        steps: dict[str, Callable[[], object]] = {
            "push": self.push,
            "event": lambda: self.run(event=True),
            "late": self.late_event,
            "schedule": self.run,
            "close": lambda: self.shop.hub.close(1),
            "reopen": lambda: self.shop.hub.reopen(1),
            "base": lambda: self.shop.hub.change_base(1, self.rng.choice(["main", "release"])),
            "budget": self.change_budget,
            "refuse": lambda: self.refuse(Fault(529, kind="overloaded_error")),
            # The batch is created, and its answer is lost.
            "lose": lambda: self.refuse(Fault(500, kind="api_error", after=True)),
            "github": self.break_github,
            "kill": self.kill,
            "wait": lambda: self.clock.forward(3_600 * self.rng.choice([0.2, 1, 5, 20])),
        }
        steps[name]()

    def late_event(self) -> None:
        self.push()
        self.clock.forward(3 * 3_600)
        self.run(event=True)

    def change_budget(self) -> None:
        limit = Decimal("0.000001") if self.rng.random() < 0.7 else Decimal(5)
        self.config = Config(verify=None, ladder=(), budget=Budget(pull_request=limit))

    def break_github(self) -> None:
        fault = bad_gateway(after=self.rng.random() < 0.3)
        self.shop.hub.faults = Faults(self.rng, fault, "/repos/", 0.15)

    def kill(self) -> None:
        self.kill_at = self.rng.randint(1, 6)
        self.run(event=self.rng.random() < 0.5)

    def refuse(self, fault: Fault) -> None:
        self.batches.faults = Faults(self.rng, fault, "/v1/messages/batches", 0.7)

    def push(self) -> None:
        self.pushes += 1
        text = f"changed_{self.rng.randint(1, 3)} = {self.pushes}\n"
        name = self.rng.choice(["one.cfg", "two.cfg"])
        self.shop.git("checkout", "-q", "feature")
        self.shop.commit({name: text})
        self.shop.git("push", "-q", "origin", "feature")

    def run(self, *, event: bool = False) -> None:
        self.runs += 1
        self.clock.at += timedelta(minutes=self.rng.choice([1, 20, 90]))
        with suppress(Killed, ClaudeBatchError):  # an outage ends the run
            self._run(event)
        self.kill_at = 0
        self.check_titles()

    def _run(self, event: bool) -> None:
        stamp = Stamp(f"run-{self.runs}", REPO, self.clock)
        self.ledger.run = stamp.run
        self.ledger.gate = self.gate
        github = self.shop.forge()
        repository = Repository.open(self.shop.work, environ())
        reconciler = Reconciler(
            repository,
            github,
            self.anthropic,
            self.ledger,
            self.config,
            lambda commit: self.config,
            stamp,
            "claude-batch-now",
            self.clock(),
        )
        if event:
            reconciler.reconcile_pull_request(1)
            return
        collector = Collector(self.ledger, self.anthropic, PRICES, stamp.run, self.clock)
        with suppress(ClaudeBatchError):  # as in `ci`, the next step is taken all the same
            collector.collect()
        reconciler.reconcile_all()

    def gate(self, moment: str) -> None:
        if self.kill_at:
            self.kill_at -= 1
            if not self.kill_at:
                raise Killed

    # What must hold

    def check_titles(self) -> None:
        """No check run says that nothing was found while a task has no answer."""
        state = self.ledger.view()
        titles = {}
        for entry in self.shop.hub.log:
            if "/check-runs" in entry.path and entry.method == "POST" and entry.status < 300:
                body = dict(entry.body or {})
                titles[body["head_sha"]] = body["output"]["title"]
        plan = state.latest_plan(1)
        if plan and str(titles.get(plan.head, "")).startswith(("No findings", "Nothing found")):
            readings = self.readings()
            assert {reading.state for reading in readings} <= {TaskState.ANSWERED}, titles

    def readings(self) -> list:
        plan = self.ledger.view().latest_plan(1)
        settings = WaitingSettings.from_config(self.config)
        found = read_plan(self.ledger.view(), plan, settings, self.clock()) if plan else {}
        return list(found.values())

    def recover(self) -> None:
        """Everything is well again, and only the schedule runs."""
        self.batches.faults = self.shop.hub.faults = no_fault
        self.config = Config(verify=None, budget=Budget(pull_request=Decimal(50)))
        self.shop.hub.reopen(1)
        for _ in range(8):
            before = len(self.ledger.events)
            self.clock.at += timedelta(hours=6)
            self.run()
            states = {reading.state for reading in self.readings()}
            if states == {TaskState.ANSWERED} and len(self.ledger.events) == before:
                return  # nothing is left to do

    def check_end(self) -> None:
        state, head = self.ledger.view(), self.head()
        plan = state.latest_plan(1)
        assert plan is not None
        assert plan.head == head
        assert {reading.state for reading in self.readings()} == {TaskState.ANSWERED}
        for task in plan.task_ids:
            paid = [row for row in state.requests.of_task(task) if row.answer and row.answer.usd]
            assert len(paid) <= 1, "paid twice"
        posted = state.posts.get((1, "check"))
        assert posted is not None
        assert posted.head == head

    def head(self) -> str:
        refs = subprocess.run(
            ["git", "rev-parse", "refs/heads/feature"],
            cwd=self.shop.bare,
            capture_output=True,
            check=True,
        )
        return refs.stdout.decode().strip()


@dataclass
class Faults:
    rng: random.Random
    fault: Fault
    path: str
    share: float

    def __call__(self, request: HttpRequest) -> Fault | None:
        is_meant = self.path in request.path and (
            self.path == "/repos/" or request.method == "POST"
        )
        return self.fault if is_meant and self.rng.random() < self.share else None


@contextmanager
def open_history(seed: int) -> Iterator[History]:
    clock = Clock()
    with (
        tempfile.TemporaryDirectory() as folder,
        open_shop(Path(folder)) as shop,
        BatchesServer(
            seconds=1_800, now=clock, reviewer=lambda params: ModelReply('{"findings":[]}')
        ) as batches,
    ):
        shop.clock = clock
        shop.git("branch", "release", "main")
        shop.git("push", "-q", "origin", "release")
        shop.git("checkout", "-q", "feature")
        given = {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": batches.url}
        forward = clock.forward
        anthropic = AnthropicClient(given, sleep=forward)
        ledger = MemoryLedger(clock)
        history = History(shop, batches, anthropic, clock, ledger, random.Random(seed))  # noqa: S311
        history.run()  # installed, before the pull request is opened
        shop.hub.open_pull("Change the cart", "feature")
        yield history


def play(steps: list[str], seed: int) -> None:
    with open_history(seed) as history:
        for name in steps:
            history.step(name)
        history.recover()
        history.check_end()


@SAMPLE
@given(STEPS, st.integers(0, 10_000))
def test_in_the_end_everything_is_reviewed_once(steps: list[str], seed: int) -> None:
    play(steps, seed)


@pytest.mark.slow
@DEEP
@given(STEPS, st.integers(0, 1_000_000))
def test_two_thousand_histories(steps: list[str], seed: int) -> None:
    play(steps, seed)
