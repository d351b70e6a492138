"""An outage of one kind of call while every verb runs once; then it is over, and they run again.

Whatever it was: a verb ends with a value or with an error of ours that says what to do, nothing is
lost, and nothing is paid for, or said, twice.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from claude_batch.errors import ClaudeBatchError
from claude_batch.ledger.view import TaskStatus
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.sandbox.http_messages import Fault, HttpRequest
from github_faults import bad_gateway, expired_token, secondary_limit
from rig import NOTHING, PullRig, content, find, open_pull, open_rig
from shop import open_shop

SAID = ("line_10 = 'ten'", "extra_a = 1", "b = 2")
STANDS = [("added.py", 2), ("cart.py", 10), ("cart.py", 51)]
Where = tuple[str, str]  # method, pattern of the path
Met = TypeVar("Met")

MESSAGES: Mapping[str, Where] = {
    "create": ("POST", r"/messages/batches$"),
    "status": ("GET", r"/batches/msgbatch_\w+$"),
    "results": ("GET", r"/results$"),
    "list": ("GET", r"/messages/batches$"),
}
MESSAGES_FAULTS: Mapping[str, Fault] = {
    "429": Fault(429, "rate_limit_error"),
    "429, come back in an hour": Fault(429, "rate_limit_error", headers={"retry-after": "3600"}),
    "the month is spent": Fault(429, details={"error_code": "enforced_spend_limit_reached"}),
    "401": Fault(401, "authentication_error"),
    "500": Fault(500),
    "529": Fault(529, "overloaded_error"),
    "no answer": Fault(),
    "no answer, done all the same": Fault(after=True),
    "500, done all the same": Fault(500, after=True),
    "cut in the middle": Fault(cut=40),
    "not its own format": Fault(200, body=b"<html>"),
}
GITHUB: Mapping[str, Where] = {
    "pull": ("GET", r"/pulls/\d+$"),
    "comments": ("GET", r"/pulls/\d+/comments$"),
    "review": ("POST", r"/reviews$"),
    "summary": ("POST", r"/issues/\d+/comments$"),
    "check": ("POST", r"/check-runs$"),
    "threads": ("POST", r"graphql$"),
    "fetch": ("GET", r"\.git/info/refs$"),
    "push": ("POST", r"git-receive-pack$"),
}
GITHUB_FAULTS: Mapping[str, Fault] = {
    "502": bad_gateway(after=False),
    "502, done all the same": bad_gateway(after=True),
    "secondary limit": secondary_limit(None),
    "secondary limit, come back in an hour": secondary_limit(3600),
    "secondary limit as 429": secondary_limit(30, 429),
    "expired token": expired_token(),
}


@dataclass
class Outage:
    """What both look-alikes meet while it lasts."""

    messages: Mapping[str, Fault] = field(default_factory=dict)  # by kind of call
    github: Mapping[str, Fault] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    lasts: bool = True

    def at_messages(self, call: HttpRequest) -> Fault | None:
        return self._find(self.messages, MESSAGES, call.method, call.path)

    def at_github(self, incoming: HttpRequest) -> Fault | None:
        return self._find(self.github, GITHUB, incoming.method, incoming.path)

    def _find(
        self, faults: Mapping[str, Met], kinds: Mapping[str, Where], method: str, path: str
    ) -> Met | None:
        for kind, fault in faults.items() if self.lasts else ():
            if kinds[kind][0] == method and re.search(kinds[kind][1], path):
                self.met[kind] += 1
                return fault
        return None


def reviewer(params: Mapping[str, object]) -> ModelReply:
    return find(*SAID)(params) if "cart.py" in content(params) else NOTHING


@contextmanager
def opened(path: Path, outage: Outage) -> Iterator[PullRig]:
    with (
        open_shop(path) as shop,
        open_rig(shop.work, reviewer=reviewer, faults=outage.at_messages, remote="origin") as rig,
    ):
        pull = open_pull(rig, shop)
        shop.hub.faults = outage.at_github
        yield pull


def every_verb(pull: PullRig) -> list[ClaudeBatchError]:
    """Each after the one before, whatever became of that, as the jobs of a repository run."""
    met: list[ClaudeBatchError] = []
    for verb in (pull.submit, pull.rig.collect, pull.publish):
        try:
            verb()
        except ClaudeBatchError as error:
            met.append(error)
    return met


def endure(pull: PullRig, outage: Outage) -> None:
    for error in every_verb(pull):
        assert error.exit_code == 3
        assert error.problem
        assert error.remedy
        assert "Traceback" not in error.problem
    outage.lasts = False
    for _ in range(3):  # a doubt is settled by two looks after the lease
        pull.rig.clock.forward(minutes=31)
        assert every_verb(pull) == []
    is_whole(pull)


def is_whole(pull: PullRig) -> None:
    view, tasks = pull.rig.view, pull.scene().tasks
    assert (view.damaged, view.open_batches()) == ((), [])
    assert {view.task_status(task.id) for task in tasks} == {TaskStatus.ANSWERED}
    sent = Counter(content(params) for _, _, params in pull.rig.server.submitted())
    assert set(sent.values()) == {1}, "paid twice"
    assert sorted(pull.reviewed()) == STANDS
    assert len(pull.forge.list_comments(pull.number)) == 1
    head = pull.forge.get_pull_request(pull.number).head_sha
    assert pull.shop.ask("GET", f"/commits/{head}/check-runs").body["total_count"] == 1


# Where a list is asked for there is a doubt: the batch was created, and nobody was told.
DOUBT = {"create": Fault(after=True)}


@pytest.mark.slow
@pytest.mark.parametrize("fault", MESSAGES_FAULTS)
@pytest.mark.parametrize("kind", MESSAGES)
def test_an_outage_of_the_messages_api(tmp_path: Path, kind: str, fault: str) -> None:
    outage = Outage({**(DOUBT if kind == "list" else {}), kind: MESSAGES_FAULTS[fault]})
    with opened(tmp_path, outage) as pull:
        endure(pull, outage)
    assert outage.met[kind]


@pytest.mark.slow
@pytest.mark.parametrize("fault", GITHUB_FAULTS)
@pytest.mark.parametrize("kind", GITHUB)
def test_an_outage_of_github(tmp_path: Path, kind: str, fault: str) -> None:
    outage = Outage(github={kind: GITHUB_FAULTS[fault]}, lasts=kind != "threads")
    with opened(tmp_path, outage) as pull:
        if kind == "threads":  # asked for where comments of ours stand
            assert every_verb(pull) == []
            outage.lasts = True
        endure(pull, outage)
    assert outage.met[kind]


def test_one_fault_after_the_other(tmp_path: Path) -> None:
    """A sample of both: each outage takes the place of the one before, and the jobs go on."""
    outage = Outage()
    storm: list[tuple[dict[str, Fault], dict[str, Fault]]] = [
        ({}, {"push": GITHUB_FAULTS["502"]}),
        (
            {
                "create": MESSAGES_FAULTS["no answer, done all the same"],
                "list": MESSAGES_FAULTS["500"],
            },
            {"check": GITHUB_FAULTS["secondary limit"]},
        ),
        ({"results": MESSAGES_FAULTS["cut in the middle"]}, {}),
        ({}, {"review": GITHUB_FAULTS["502, done all the same"]}),
        ({}, {"comments": GITHUB_FAULTS["expired token"]}),
        ({}, {"threads": GITHUB_FAULTS["502"]}),
    ]
    with opened(tmp_path, outage) as pull:
        for outage.messages, outage.github in storm:
            every_verb(pull)
            pull.rig.clock.forward(minutes=31)
        endure(pull, outage)
    met = {"push", "create", "list", "results", "review", "check", "threads", "comments"}
    assert set(outage.met) == met
