"""One commit in the place of the history: who wrote before, meanwhile or after loses nothing."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count, takewhile

import pytest

from claude_batch.errors import CannotRecord
from claude_batch.git.process import Completed, Git
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import LedgerState
from ledger_contract import always
from ledger_events import START, plan
from scratch import Work

REF = "refs/heads/claude-batch-state"
LOCAL = "refs/claude-batch/local"
HANG_UP = "fatal: the remote end hung up"
MakeWork = Callable[..., Work]


@dataclass(frozen=True)
class Deaf(Git):
    """`meanwhile` happens after its next write has landed, and the answer to that is lost."""

    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def run(self, *args: str, **more: object) -> Completed:
        done = super().run(*args, **more)  # type: ignore[arg-type]
        if self.meanwhile and ("push" in args or args[:2] == ("update-ref", LOCAL)):
            self.meanwhile.pop()()
            return Completed(128, b"", HANG_UP)
        return done


@dataclass
class Place:
    """Where a ledger is, and processes that open it, each in a clone of its own if it is shared."""

    home: Work  # the repository that holds the ref
    ref: str
    make_work: MakeWork
    numbers: Iterable[int] = field(default_factory=count)

    def ledger(self, kind: type[Git] = Git, **more: object) -> GitLedger:
        if self.ref == LOCAL:
            return self.opened(self.home, kind, **more)
        return self.opened(self.clone(), kind, **more)

    def clone(self, *options: str) -> Work:
        name, url = f"clone-{next(iter(self.numbers))}", f"file://{self.home.path}"
        return self.make_work(name, "clone", "-q", *options, url)

    def opened(self, work: Work, kind: type[Git] = Git, **more: object) -> GitLedger:
        return GitLedger(
            kind(dict(os.environ), work.path / ".git", **more),
            self.ref,
            None if self.ref == LOCAL else "origin",
            run="run-1",
            now=lambda: START,
            sleep=time.sleep,
            rng=random.Random(1),  # noqa: S311
        )

    def commits(self) -> list[str]:
        return self.home.git("rev-list", self.ref).decode().split()

    def named(self) -> list[str]:
        said = self.home.git("log", "-1", "--format=%b", self.ref).decode().split()
        return [word for word in said if word not in ("run", "run-1", "Old-Tip:", "[skip", "ci]")]


@pytest.fixture
def shared(make_work: MakeWork) -> Place:
    bare = make_work("remote.git", "init", "-q", "--bare")
    seed = make_work("seed", "clone", "-q", f"file://{bare.path}")
    for number in range(3):
        seed.commit({"a.py": f"a = {number}\n"})
    seed.git("push", "-q", "origin", "HEAD:main")
    return Place(bare, REF, make_work)


@pytest.fixture(params=["shared", "local"])
def place(request: pytest.FixtureRequest, make_work: MakeWork) -> Place:
    if request.param == "local":
        return Place(make_work("work"), LOCAL, make_work)
    found = request.getfixturevalue("shared")
    assert isinstance(found, Place)
    return found


def squash(ledger: GitLedger) -> int:
    return ledger.squash(lambda tip: None)


def names(view: LedgerState) -> list[str]:
    return [plan.id for plan in view.plans]


def test_one_commit_stands_for_all_and_names_them(place: Place) -> None:
    ledger = place.ledger()
    assert squash(ledger) == 0
    for number in range(3):
        ledger.transact(always(plan(f"p{number}")))
    before, tree = place.commits(), place.home.git("rev-parse", f"{place.ref}^{{tree}}")
    assert squash(ledger) == 3
    (root,) = place.commits()
    assert place.home.git("rev-parse", f"{place.ref}^{{tree}}") == tree
    assert place.named() == before
    assert names(ledger.view()) == names(place.ledger().view()) == ["p0", "p1", "p2"]
    assert squash(ledger) == 0
    assert place.commits() == [root]


def test_the_next_squash_names_those_of_the_first(place: Place) -> None:
    ledger, old = place.ledger(), list[str]()
    ledger.transact(always(plan("first")))
    for number in range(2):
        ledger.transact(always(plan(f"p{number}")))
        old = [*place.commits(), *old]
        squash(ledger)
    assert place.named() == old
    assert len(old) == 3 + 1  # each write, and the root between


def test_whoever_saw_an_old_tip_goes_on(shared: Place) -> None:
    writer, readers = shared.ledger(), []
    for number in range(3):
        writer.transact(always(plan(f"p{number}")))
        readers.append(shared.ledger())
        assert len(names(readers[-1].view())) == number + 1
        squash(writer)
    for reader in readers:
        assert names(reader.view()) == ["p0", "p1", "p2"]
    readers[0].transact(always(plan("p3")))
    assert names(writer.view()) == ["p0", "p1", "p2", "p3"]


def test_a_message_that_only_mentions_the_old_tip_is_no_chain(shared: Place) -> None:
    ledger = shared.ledger()
    ledger.transact(always(plan("p1")))
    tip = shared.commits()[0]
    said = f"cleaned up after Old-Tip: {tip}"
    made = shared.home.git("commit-tree", f"{REF}^{{tree}}", "-m", said).decode().strip()
    shared.home.git("update-ref", REF, made)
    with pytest.raises(CannotRecord, match="was rewritten"):
        ledger.view()


def test_who_read_before_a_squash_decides_anew_after_it(place: Place) -> None:
    mine, rival = place.ledger(), place.ledger()
    rival.transact(always(plan("p0")))
    rival.transact(always(plan("p1")))
    tries: list[int] = []

    def decide(view: LedgerState) -> Write:
        tries.append(squash(rival) if not tries else 0)
        return Write((plan(f"mine-{len(tries)}"),))

    assert names(mine.transact(decide)) == ["mine-2", "p0", "p1"]
    assert tries == [2, 0]
    assert len(place.commits()) == 2


def test_a_squash_that_lost_the_race_takes_in_who_won_it(place: Place) -> None:
    mine, rival = place.ledger(), place.ledger()
    rival.transact(always(plan("p0")))
    rival.transact(always(plan("p1")))
    tips: list[str] = []

    def check(tip: str) -> None:
        tips.append(tip)
        if len(tips) == 1:
            rival.transact(always(plan("p2")))

    assert mine.squash(check) == 3
    assert place.named()[:2] == tips[::-1]
    assert names(place.ledger().view()) == ["p0", "p1", "p2"]


@pytest.mark.parametrize("squashes", [1, 2])
def test_what_landed_unheard_and_was_squashed_is_not_written_twice(
    place: Place, squashes: int
) -> None:
    rival = place.ledger()
    rival.transact(always(plan("p0")))

    def meanwhile() -> None:
        for number in range(squashes):
            squash(rival)
            rival.transact(always(plan(f"q{number}")))

    mine = place.ledger(Deaf, meanwhile=[meanwhile])
    tries: list[LedgerState] = []

    def decide(view: LedgerState) -> Write:
        tries.append(view)
        return Write((plan(f"mine-{len(tries)}"),))

    assert "mine-1" in names(mine.transact(decide))
    assert len(tries) == 1
    assert names(mine.view()) == ["mine-1", "p0", "q0", "q1"][: 2 + squashes]


def test_a_squash_that_landed_unheard_is_not_done_twice(place: Place) -> None:
    ledger = place.ledger()
    ledger.transact(always(plan("p0")))
    ledger.transact(always(plan("p1")))
    squash(place.ledger(Deaf, meanwhile=[lambda: None]))
    assert len(place.commits()) == 1
    assert len(place.named()) == 2


def test_a_shallow_clone_brings_the_past_of_the_branch_and_no_other(shared: Place) -> None:
    writer = shared.ledger()
    for number in range(3):
        writer.transact(always(plan(f"p{number}")))
    work = shared.clone("--depth=1", "--branch=main")
    mine = shared.opened(work)
    assert len(names(mine.view())) == 3
    writer.transact(always(plan("p3")))
    before = shared.commits()
    assert squash(mine) == 4
    assert shared.named() == before
    assert work.git("rev-list", "--count", "HEAD").strip() == b"1"
    assert names(writer.view()) == ["p0", "p1", "p2", "p3"]


def test_a_remote_that_forbids_force_is_asked_once(shared: Place) -> None:
    shared.home.git("config", "receive.denyNonFastForwards", "true")
    ledger = shared.ledger()
    slept: list[float] = []
    ledger.sleep = slept.append
    ledger.transact(always(plan("p0")))
    ledger.transact(always(plan("p1")))
    with pytest.raises(CannotRecord) as caught:
        squash(ledger)
    assert caught.value.problem == (
        "origin rejects force pushes to claude-batch-state; `prune --squash` needs one"
    )
    assert "allow force pushes to `claude-batch-state`" in caught.value.remedy
    assert slept == []
    assert names(ledger.transact(always(plan("p2")))) == ["p0", "p1", "p2"]


def test_a_ledger_that_nobody_may_write_to_is_not_squashed(shared: Place) -> None:
    work = shared.clone()
    tip = work.commit({"README.md": "not a ledger\n"})
    work.git("push", "-q", "origin", f"HEAD:{REF}")
    with pytest.raises(CannotRecord, match=r"no readable format\.json"):
        squash(shared.ledger())
    assert shared.commits()[0] == tip


@dataclass
class Race:
    """Each update is recorded once, however often it was decided. Two squash all the time."""

    place: Place
    updates: int
    wanted: list[str] = field(default_factory=list)
    squashed: list[int] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def are_few(self) -> bool:
        return sum(map(bool, self.squashed)) < 2

    def write(self, name: str) -> None:
        """After its updates it goes on until there were two squashes, and rests: who never does
        leaves a squash no time to land."""
        ledger, tries = self.place.ledger(), count()
        for number in takewhile(
            lambda n: n < self.updates or self.are_few(), range(self.updates + 20)
        ):
            time.sleep(number >= self.updates)
            self.wanted.append(f"{name}-{number}")
            ledger.transact(lambda view, n=number: Write((plan(f"{name}-{n}-{next(tries)}"),)))

    def squash(self) -> None:
        ledger = self.place.ledger()
        while not self.done.wait(0.05):
            self.squashed.append(squash(ledger))


def raced(place: Place, writers: int, updates: int) -> None:
    race = Race(place, updates)
    place.ledger().transact(always(plan("first")))
    busy = [threading.Thread(target=race.write, args=(f"w{n}",)) for n in range(writers)]
    folders = [threading.Thread(target=race.squash) for _ in range(2)]
    for thread in (*busy, *folders):
        thread.start()
    for thread in busy:
        thread.join()
    race.done.set()
    for thread in folders:
        thread.join()
    found = [name.rpartition("-")[0] for name in names(place.ledger().view())]
    assert sorted(filter(None, found)) == sorted(race.wanted)
    assert not race.are_few()


def test_writers_and_squashers_at_once(place: Place) -> None:
    raced(place, writers=2, updates=4)


@pytest.mark.slow
def test_many_writers_and_squashers_at_once(place: Place) -> None:
    raced(place, writers=8, updates=12)
