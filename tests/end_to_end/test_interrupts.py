"""The program told to end in the middle of something, as a cancelled job is: SIGINT or SIGTERM.

The look-alikes send the signal, at the call that is named, so the place is always the same.
"""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.batches.collect import Collector
from claude_batch.git.repository import Repository
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.view import LedgerState
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.http_messages import Fault, HttpRequest
from program import ONCE, STATE, Place, Ran, open_place
from rig import PRICES
from shop import environ

PUSH = "git-receive-pack"


@dataclass
class Killer:
    """Sends a signal to a process at the nth call to a path that ends so."""

    method: str
    ending: str
    nth: int = 1
    number: int = signal.SIGTERM
    started: threading.Event = field(default_factory=threading.Event)
    pid: int = 0
    done: bool = False

    def meets(self, method: str, path: str) -> None:
        if self.done or method != self.method or not path.endswith(self.ending):
            return
        self.nth -= 1
        if not self.nth:
            self.done = True
            self.started.wait()
            os.kill(self.pid, self.number)


@dataclass
class Switch:
    """Stands at the door of both look-alikes."""

    killer: Killer | None = None

    def batches(self, call: HttpRequest) -> Fault | None:
        if self.killer:
            self.killer.meets(call.method, call.path)
        return None

    def hub(self, incoming: HttpRequest) -> Fault | None:
        if self.killer:
            self.killer.meets(incoming.method, incoming.path)
        return None


def cut_short(place: Place, switch: Switch, killer: Killer, *args: str) -> None:
    switch.killer = killer
    running = place.start(*args)
    killer.pid = running.pid
    killer.started.set()
    out, err = running.communicate(timeout=100)
    switch.killer = None
    assert killer.done
    assert (running.returncode, out) == (130, ""), err
    assert Ran(running.returncode, out, err).refusal()[0] == "interrupted"


def ledger(place: Place, now: Callable[[], datetime]) -> GitLedger:
    git = Repository.open(place.shop.work, environ()).git
    return GitLedger(git, STATE, "origin", "after", now=now, sleep=lambda seconds: None)


def view(place: Place) -> LedgerState:
    found = ledger(place, lambda: datetime.now(UTC)).view()
    assert found.damaged == ()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_told_to_end_at_each_stage_and_run_again(tmp_path: Path, number: int) -> None:
    switch = Switch()
    server = lambda: BatchesServer(faults=switch.batches)  # noqa: E731
    with open_place(tmp_path, batches=server, config=ONCE) as place:
        pull = str(place.suspicious())
        place.shop.hub.faults = switch.hub

        # While it claims: what has landed is given back at once, and nothing was sent.
        cut_short(place, switch, Killer("POST", PUSH, 1, number), "submit", "--pr", pull)
        assert not view(place).open_batches()
        assert place.created() == 0

        assert place.json("submit", "--pr", pull)["tasks"]["known"] == 0

        # While it downloads, and while it records what it has downloaded.
        cut_short(place, switch, Killer("GET", "/results", 1, number), "collect")
        cut_short(place, switch, Killer("POST", PUSH, 1, number), "collect", "--no-submit")
        place.run("collect")
        assert not view(place).open_batches()

        # While it posts: the review stands, or it does not, and is not said twice.
        cut_short(place, switch, Killer("POST", "/reviews", 1, number), "publish", "--pr", pull)
        place.run("publish", "--pr", pull)
        place.run("publish", "--pr", pull)
        comments = place.shop.forge().list_review_comments(int(pull))
        assert len({one.body for one in comments}) == len(comments) == 4
        assert place.created() == 1


def test_while_it_is_sent_nobody_knows_and_it_is_found_again(tmp_path: Path) -> None:
    switch = Switch()
    server = lambda: BatchesServer(faults=switch.batches)  # noqa: E731
    with open_place(tmp_path, batches=server, config=ONCE) as place:
        pull = str(place.suspicious())
        killer = Killer("POST", "/v1/messages/batches")
        cut_short(place, switch, killer, "submit", "--pr", pull)
        (sending,) = view(place).open_batches()
        assert sending.submitted is None
        assert sending.abandoned is None
        assert place.json("submit", "--pr", pull)["tasks"]["new"] == 0

        later = lambda: datetime.now(UTC) + timedelta(minutes=31)  # noqa: E731
        claude = AnthropicClient(place.environ, sleep=lambda seconds: None)
        found = Collector(ledger(place, later), claude, PRICES, "after", later)
        assert len([*found.collect().answers, *found.collect().answers]) == 1
        claude.close()
        assert not view(place).open_batches()
        assert place.created() <= 1
