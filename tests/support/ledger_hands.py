"""Writers that may be killed, files that get damaged, and the invariants of their ledger.

A fact is `("plan", id)`, `("claim", intent)` or `("answer", intent)`: what one line of a log file
says. A claim is a line for the intent and one for its request, in one file. Once folded, a line for
the request and its answer stands for both.
"""

import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from claude_batch.git.process import Completed, Git
from claude_batch.ledger.events import RequestRecorded
from claude_batch.ledger.files import LOG, checksum
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.view import LedgerState, TaskStatus
from claude_batch.tasks.task import TaskId
from ledger_events import START, answered, asked
from scratch import Work

SHARED = "refs/heads/claude-batch-state"
LOCAL = "refs/claude-batch/local"
Fact = tuple[str, str]
NAMED = {"plan": ("plan", "id"), "intent": ("claim", "id"), "answer": ("answer", "intent")}
NAMED["settled"] = NAMED["answer"]
AGES_LATER = START + timedelta(days=40)
RESERVED = asked("i", 0).estimate.usd_max
PAID = answered("i").usd or Decimal(0)

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda raw: raw[: len(raw) // 2],
    "one bit": lambda raw: raw[:40] + bytes([raw[40] ^ 1]) + raw[41:],
    "conflict markers": lambda raw: b"<<<<<<< ours\n" + raw + b"=======\n>>>>>>> theirs\n",
    "emptied": lambda raw: b"",
}


class Killed(BaseException):
    """As kill -9: nothing of ours runs afterwards."""


@dataclass(frozen=True)
class Mortal(Git):
    """`fate` befalls the next write: "before" or "after" it landed, or "unheard", its answer."""

    fate: list[str] = field(default_factory=list)

    def run(self, *args: str, **more: object) -> Completed:
        lands = "push" in args or args[:2] == ("update-ref", LOCAL)
        fate = self.fate.pop() if lands and self.fate else None
        if fate == "before":
            raise Killed
        done = super().run(*args, **more)  # type: ignore[arg-type]
        if fate == "after":
            raise Killed
        return Completed(128, b"", "fatal: the remote end hung up") if fate else done


@dataclass
class Store:
    """A ref in the repository that holds it, and what was recorded there."""

    work: Work
    ref: str
    landed: dict[Fact, str] = field(default_factory=dict)  # of a claim: its task
    hidden: dict[str, frozenset[Fact]] = field(default_factory=dict)  # by damaged file
    originals: dict[str, bytes] = field(default_factory=dict)
    odd: set[str] = field(default_factory=set)  # named as damaged, and no fact is lost by them
    shards: set[str] = field(default_factory=set)  # intents

    def logs(self) -> list[str]:
        if not self.work.git("for-each-ref", self.ref):
            return []
        listed = self.work.git("ls-tree", "-r", "--name-only", self.ref).decode().splitlines()
        return [path for path in listed if LOG.fullmatch(path)]

    def commit(self, path: str, content: bytes) -> None:
        """By somebody else, and not through the ledger."""
        stream = b"commit %b\ncommitter x <x@example.com> 1 +0000\ndata 1\nx" % self.ref.encode()
        stream += b"\nfrom %b^0\nM 100644 inline %b" % (self.ref.encode(), path.encode())
        stream += b"\ndata %d\n%b\n\ndone\n" % (len(content), content)
        self.work.git("fast-import", "--quiet", "--done", stdin=stream)

    def damage(self, path: str, how: str) -> None:
        raw = self.work.git("show", f"{self.ref}:{path}")
        self.originals[path] = raw
        self.hidden[path] = facts_in(raw) & self.visible()
        self.commit(path, DAMAGES[how](raw))

    def mend(self, path: str) -> None:
        self.commit(path, self.originals[path])
        del self.hidden[path]

    def newer(self, plan: bytes, name: str) -> None:
        """A file of a later version, of which one line can be read."""
        raw = plan + b'\n{"type":"from_the_future"}\n'
        path = f"log/2026/11/22/100000-x-y-{checksum(raw)}.jsonl"
        self.commit(path, raw)
        self.landed["plan", name] = ""
        self.odd.add(path)

    def visible(self) -> set[Fact]:
        return self.landed.keys() - {fact for facts in self.hidden.values() for fact in facts}

    def task_status(self, task: str) -> TaskStatus:
        seen = self.visible()
        claims = [name for kind, name in seen if self.landed[kind, name] == task]
        if any(("answer", name) in seen for name in claims):
            return TaskStatus.ANSWERED
        return TaskStatus.IN_FLIGHT if claims else TaskStatus.NEW

    def check(self, view: LedgerState, tasks: tuple[str, ...]) -> None:
        """Each fact that can be read stands there, once, and each damage is named."""
        seen = self.visible()
        of = {kind: sorted(name for at, name in seen if at == kind) for kind, _ in NAMED.values()}
        assert sorted(plan.id for plan in view.plans) == of["plan"]
        assert sorted(row.request.intent for row in view.requests) == of["claim"]
        known = [row.request.intent for row in view.requests if row.answer]
        assert sorted([*known, *(intent for intent, _ in view.orphans)]) == of["answer"]
        assert {task: view.task_status(TaskId(task)) for task in tasks} == {
            task: self.task_status(task) for task in tasks
        }
        unanswered = len(set(of["claim"]) - set(of["answer"]))
        spent = len(of["answer"]) * PAID + unanswered * RESERVED
        assert view.spent(START - timedelta(days=1)) == spent
        orphans = {f"intent {name}" for name in set(of["answer"]) - set(of["claim"])}
        named = [text.partition(":")[0] for text in view.damaged]
        assert sorted(named) == sorted({*self.hidden, *self.odd, *orphans})
        assert {path.split("/")[1] for path in view.shards} == self.shards


def request(name: str, task: str) -> RequestRecorded:
    """No estimate draws on it, so it may be folded."""
    made = asked(name, 0, task)
    return made.model_copy(
        update={"estimate": made.estimate.model_copy(update={"input_tokens": 0})}
    )


def facts_in(raw: bytes) -> frozenset[Fact]:
    rows = [json.loads(line) for line in raw.splitlines()]
    return frozenset(
        (NAMED[row["type"]][0], row[NAMED[row["type"]][1]]) for row in rows if row["type"] in NAMED
    )


@dataclass
class Hand:
    """A writer in a clone, one process after the other."""

    name: str
    work: Work
    store: Store
    rng: random.Random
    ledger: GitLedger = field(init=False)
    fate: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A new process: nothing is known but what is on disk."""
        self.fate.clear()
        self.ledger = GitLedger(
            Mortal(dict(os.environ), Path(self.work.path) / ".git", fate=self.fate),
            self.store.ref,
            "origin" if self.store.ref == SHARED else None,
            run=self.name,
            now=lambda: START,
            sleep=lambda seconds: None,
            rng=self.rng,
        )
