"""The ledger in many hands, in any order: what one wrote everybody reads, and nobody pays twice.

Every step is taken by real git, on a bare remote with three clones and on a local ref of one of
them. A simple model (`ledger_hands.Store`) says what must be readable after each.
"""

import random
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from claude_batch.errors import CannotRecord
from claude_batch.ledger.events import IntentId, to_line
from claude_batch.ledger.prune import squash
from claude_batch.ledger.repair import LedgerHistory, repair
from claude_batch.ledger.store import Shard, Write
from claude_batch.ledger.view import LedgerState, TaskStatus
from claude_batch.tasks.task import TaskId
from ledger_events import answered, finding, intent, plan
from ledger_hands import AGES_LATER, DAMAGES, LOCAL, SHARED, Hand, Killed, Store, request
from scratch import Work

TASKS = ("t1", "t2", "t3", "t4")
HANDS = st.integers(0, 4)
STORES = st.integers(0, 1)
NUMBERS = st.integers(0, 99)
FATES = ("before", "after", "unheard")
SAMPLE = settings(
    max_examples=6,
    stateful_step_count=14,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
DEEP = settings(
    SAMPLE,
    max_examples=60,
    stateful_step_count=40,
    phases=(Phase.generate, Phase.shrink),
)


class ManyHands(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.count = 0
        remote = self.made("remote.git", "--bare")
        clones = [self.made(name) for name in "abc"]
        for clone in clones:
            clone.git("remote", "add", "origin", str(remote.path))
        self.shared, local = Store(remote, SHARED), Store(clones[2], LOCAL)
        places = [*((clone, self.shared) for clone in clones), *[(clones[2], local)] * 2]
        seeded = random.Random(1)  # noqa: S311
        self.hands = [
            Hand(f"hand-{number}", work, store, seeded)
            for number, (work, store) in enumerate(places)
        ]
        self.stores = (self.shared, local)

    def made(self, name: str, *options: str) -> Work:
        path = Path(self.folder.name) / name
        command = ["git", "init", "-q", "--template=", *options, str(path)]
        subprocess.run(command, check=True, capture_output=True)
        return Work(path)

    def teardown(self) -> None:
        self.folder.cleanup()

    def new_name(self) -> str:
        self.count += 1
        return f"n{self.count}"

    def claim(
        self,
        hand: Hand,
        task: str,
        fate: str | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """As `submit`: a plan, and an intent if the task is new on the tip where it lands."""
        name, waiting, written = self.new_name(), [meanwhile], Write()

        def decide(view: LedgerState) -> Write:
            nonlocal written
            if waiting:
                waiting.pop()()
            free = view.task_status(TaskId(task)) is TaskStatus.NEW
            claims = (intent(name), request(name, task)) if free else ()
            written = Write((plan(name), *claims))
            return written

        if not self.survives(hand, decide, fate):
            return
        hand.store.landed["plan", name] = ""
        if len(written.events) > 1:
            assert hand.store.task_status(task) is TaskStatus.NEW, f"{task} was claimed twice"
            hand.store.landed["claim", name] = task

    def survives(
        self, hand: Hand, decide: Callable[[LedgerState], Write], fate: str | None
    ) -> bool:
        """The write, not necessarily the writer."""
        self.strike(hand, lambda: hand.ledger.transact(decide), fate)
        return fate != "before"

    def strike(self, hand: Hand, act: Callable[[], object], fate: str | None) -> None:
        hand.fate[:] = [fate] if fate else []
        try:
            act()
        except Killed:
            hand.start()
        hand.fate.clear()  # where nothing was to be written

    @rule(hand=HANDS, task=st.sampled_from(TASKS), process=st.sampled_from(["same", "new"]))
    def somebody_claims(self, hand: int, task: str, process: str) -> None:
        if process == "new":
            self.hands[hand].start()
        self.claim(self.hands[hand], task)

    @rule(hand=HANDS, task=st.sampled_from(TASKS), fate=st.sampled_from(FATES))
    def somebody_is_struck(self, hand: int, task: str, fate: str) -> None:
        self.claim(self.hands[hand], task, fate)

    @rule(hand=HANDS, ahead=HANDS, tasks=st.tuples(*[st.sampled_from(TASKS)] * 2))
    def two_race(self, hand: int, ahead: int, tasks: tuple[str, str]) -> None:
        """The second writes everything between the read and the write of the first."""
        first, second = self.hands[hand], self.hands[ahead]
        if first is not second:
            self.claim(first, tasks[0], meanwhile=lambda: self.claim(second, tasks[1]))

    @rule(hand=HANDS, fate=st.sampled_from([None, *FATES]))
    def an_answer_is_recorded(self, hand: int, fate: str | None) -> None:
        mine = self.hands[hand]
        seen = mine.store.visible()
        waiting = [name for kind, name in sorted(seen) if kind == "claim"]
        waiting = [name for name in waiting if ("answer", name) not in mine.store.landed]
        if not waiting:
            return
        name = waiting[0]
        write = Write((answered(name, findings=1),), (Shard(IntentId(name), 0, (finding("1"),)),))
        if self.survives(mine, lambda view: write, fate):
            mine.store.landed["answer", name] = ""
            mine.store.shards.add(name)

    @rule(hand=HANDS)
    def shards_are_dropped(self, hand: int) -> None:
        mine = self.hands[hand]
        mine.ledger.transact(lambda view: Write(drops=tuple(view.shards)))
        mine.store.shards.clear()

    @rule(hand=HANDS, fate=st.sampled_from([None, *FATES]))
    def the_past_is_folded(self, hand: int, fate: str | None) -> None:
        self.survives(self.hands[hand], lambda view: Write(fold_before=AGES_LATER), fate)

    @rule(hand=HANDS, ahead=HANDS, task=st.sampled_from(TASKS))
    def a_fold_loses_a_race(self, hand: int, ahead: int, task: str) -> None:
        first, second, waiting = self.hands[hand], self.hands[ahead], [True]

        def decide(view: LedgerState) -> Write:
            if waiting and waiting.pop():
                self.claim(second, task)
            return Write(fold_before=AGES_LATER)

        if first is not second:
            first.ledger.transact(decide)

    @rule(hand=HANDS, fate=st.sampled_from([None, *FATES]))
    def the_history_is_squashed(self, hand: int, fate: str | None) -> None:
        """Not as long as it holds what is to be put back."""
        mine = self.hands[hand]
        act = partial(squash, mine.ledger, LedgerHistory(mine.ledger.git))
        if mine.store.hidden:
            with pytest.raises(CannotRecord, match="only its history holds"):
                act()
        else:
            self.strike(mine, act, fate)

    @rule(hand=HANDS, ahead=HANDS, tasks=st.tuples(*[st.sampled_from(TASKS)] * 2))
    def a_squash_comes_between(self, hand: int, ahead: int, tasks: tuple[str, str]) -> None:
        """Between the read and the write of somebody who claims, and a write right after it."""
        first, second = self.hands[hand], self.hands[ahead]

        def meanwhile() -> None:
            second.ledger.squash(lambda tip: None)
            self.claim(second, tasks[1])

        if first is not second and not second.store.hidden:
            self.claim(first, tasks[0], meanwhile=meanwhile)

    @precondition(lambda self: any(store.landed for store in self.stores))
    @rule(number=NUMBERS, how=st.sampled_from(sorted(DAMAGES)), store=STORES)
    def a_file_is_damaged(self, number: int, how: str, store: int) -> None:
        broken = self.stores[store]
        files = [path for path in broken.logs() if path not in {*broken.hidden, *broken.odd}]
        if files:
            broken.damage(files[number % len(files)], how)

    @precondition(lambda self: any(store.hidden for store in self.stores))
    @rule(number=NUMBERS)
    def a_file_is_mended(self, number: int) -> None:
        """By a person, from the history."""
        broken = next(store for store in self.stores if store.hidden)
        broken.mend(sorted(broken.hidden)[number % len(broken.hidden)])

    @precondition(lambda self: any(store.hidden for store in self.stores))
    @rule()
    def all_is_repaired(self) -> None:
        mine = next(hand for hand in self.hands if hand.store.hidden)
        done = repair(mine.ledger, LedgerHistory(mine.ledger.git), lambda sentence: None)
        assert set(done.restored_files) == mine.store.hidden.keys()
        assert done.lost == ()
        mine.store.hidden.clear()

    @rule(store=STORES)
    def a_file_of_a_stranger_appears(self, store: int) -> None:
        if self.stores[store].logs():
            self.stores[store].commit("notes.txt", self.new_name().encode())
            self.stores[store].odd.add("notes.txt")

    @rule(store=STORES)
    def a_later_version_writes(self, store: int) -> None:
        if self.stores[store].logs():
            name = self.new_name()
            self.stores[store].newer(to_line(plan(name)), name)

    @precondition(lambda self: self.shared.landed)
    @rule(hand=st.integers(0, 2))
    def the_branch_is_deleted_and_brought_back(self, hand: int) -> None:
        self.shared.work.git("update-ref", "-d", SHARED)
        for one in self.hands[:3]:
            with pytest.raises(CannotRecord, match="is gone from origin") as refused:
                self.claim(one, "t1")
        assert self.shared.logs() == []
        given = refused.value.remedy.partition("`git ")[2].partition("`")[0]
        self.hands[hand].work.git(*given.split())

    @invariant()
    def everybody_reads_the_same(self) -> None:
        for hand in self.hands:
            hand.store.check(hand.ledger.view(), TASKS)


def test_a_sample_of_lives() -> None:
    run_state_machine_as_test(ManyHands, settings=SAMPLE)


@pytest.mark.slow
def test_many_long_lives() -> None:
    run_state_machine_as_test(ManyHands, settings=DEEP)
