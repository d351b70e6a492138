"""Crash trials: jobs that are killed, and later jobs that complete their work."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from claude_batch.git.repository import Repository
from claude_batch.ledger.git_store import GitLedger
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from crash_gate import Gate, Paid, Point
from crash_job import Job, Verb
from program import STATE, Place, open_place
from shop import environ

KILLED = "-9"
TAKES = timedelta(minutes=15)  # a batch
SOON = timedelta(minutes=1)
SCHEDULE = timedelta(hours=1)
LEASE_ENDS = timedelta(minutes=31)
MOST_ROUNDS = 8
TWICE = "[budget]\npull_request = false\n"  # with second looks
CONFIG = f"verify = false\n{TWICE}"


@dataclass(frozen=True)
class Step:
    """Verbs of one job, so long after the step before it."""

    verbs: tuple[Verb, ...]
    after: timedelta = SOON
    killed: str = ""  # the name of the call after which its first job dies
    first: Callable[[Place], object] | None = None  # what somebody does before it


@dataclass
class Trial:
    place: Place
    seats: Sequence[Path]  # a clone for each job that runs at the same time
    pull: int
    ahead: timedelta = timedelta(0)
    paid: list[Paid] = field(default_factory=list)  # lane now
    deaths: int = 0
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def folder(self) -> Path:
        return self.place.shop.bare.parent

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def run(self, step: Step, fatal: Point | None = None) -> list[Point]:
        """One job in each seat at once; the first that gets there dies at `fatal`. What the one
        passed that came farthest."""
        self.ahead += step.after
        if step.first:
            step.first(self.place)
            for seat in self.seats[1:]:
                shutil.rmtree(seat)
                shutil.copytree(self.place.shop.work, seat, symlinks=True)
        death = self.folder / f"death-{next(self._numbers)}"
        with ExitStack() as stack:
            gates = [stack.enter_context(self._gate(death, fatal)) for _ in self.seats]
            jobs = list(map(self._start, [step.verbs] * len(gates), self.seats, gates))
            for job in jobs:
                job.join(120)
            codes = sorted(str(job.exitcode) for job in jobs)
            died = codes.count(KILLED)
            self.deaths += died
            # Of several jobs none may get there: how often they lose a race differs.
            most = int(fatal is not None)
            expected = died == most or (died < most and len(jobs) > 1)
            assert expected, f"{step.verbs}: {codes}\n{self._stderr.read_text()}"
            assert codes[died:] == ["0"] * (len(jobs) - died), self._stderr.read_text()
            self.paid += [paid for gate in gates for paid in gate.paid]
            return max((gate.points() for gate in gates), key=len)

    def finish(self, submit: Verb) -> None:
        """Jobs as pushes and a schedule start them, until they have nothing more to do."""
        self.seats = self.seats[:1]
        for _ in range(MOST_ROUNDS):
            before = self._history()
            verbs: tuple[Verb, ...] = (submit, "collect", "publish")
            self.run(Step(("schedule",) if submit == "schedule" else verbs, SCHEDULE))
            if set(self._history()[len(before) :]) <= {"lease", "seen"}:
                return
        raise AssertionError(f"after {MOST_ROUNDS} rounds there is still something to do")

    def ledger(self) -> GitLedger:
        """The ledger, read from the bare repository."""
        git = Repository.open(self.place.shop.bare, environ()).git
        return GitLedger(git, STATE, None, "onlooker", now=self.now, sleep=lambda seconds: None)

    def _history(self) -> list[str]:
        """The types of the recorded events, oldest first."""
        log = Repository.open(self.place.shop.bare, environ()).git.run(
            "log", "--reverse", "--format=%s", STATE, "--", check=False
        )
        return log.out.decode().splitlines()

    def _gate(self, death: Path, fatal: Point | None) -> Gate:
        folder = self.folder / f"gate-{next(self._numbers)}"
        return Gate(folder, self.place.batches.url, self.place.shop.hub.url, death, fatal)

    def _start(self, verbs: tuple[Verb, ...], seat: Path, gate: Gate) -> ForkServerProcess:
        given = gate.environ(self.place.environ) | {"GITHUB_EVENT_NAME": "schedule"}
        process = Job(verbs, seat, given, self.ahead, self.pull, self._stderr).start()
        assert process.pid is not None
        gate.doomed.set_result(process.pid)
        return process

    @property
    def _stderr(self) -> Path:
        return self.folder / "stderr"


@contextmanager
def open_trial(folder: Path, jobs: int = 1, config: str = CONFIG) -> Iterator[Trial]:
    """A pull request with four findings. The state branch is reached by a path, which is faster
    than HTTP and otherwise the same."""
    made: list[Trial] = []

    def now() -> datetime:
        return made[0].now() if made else datetime.now(UTC)

    def batches() -> BatchesServer:
        return BatchesServer(seconds=TAKES.total_seconds(), now=now)

    with open_place(folder, batches=batches, config=config) as place:
        shop = place.shop
        shop.clock = now
        pull = place.suspicious()
        shop.git("remote", "set-url", "origin", str(shop.bare))
        seats = [shop.work, *(folder / f"clone-{n}" for n in range(1, jobs))]
        for seat in seats[1:]:
            shutil.copytree(shop.work, seat, symlinks=True)
        made.append(Trial(place, seats, pull))
        yield made[0]
        shop.hub.log.clear()  # the same traffic is held to GitHub's description elsewhere
