"""Tests for every store of the ledger. A store's test module inherits `LedgerContract` and has a
fixture `make_ledger`: each call opens the same ledger anew, as another process would.
"""

import threading
from collections.abc import Callable
from decimal import Decimal

import pytest

from claude_batch.anthropic_api.results import Outcome
from claude_batch.errors import BudgetExceeded
from claude_batch.ledger.events import AnyEvent
from claude_batch.ledger.store import Ledger, Shard, Write
from claude_batch.ledger.view import LedgerState, TaskStatus
from claude_batch.tasks.task import TaskId
from ledger_events import answered, asked, at, finding, forgotten, intent, plan, submitted

MakeLedger = Callable[[], Ledger]
T1 = TaskId("t1")


def always(*events: AnyEvent, shards: tuple[Shard, ...] = ()) -> Callable[[LedgerState], Write]:
    return lambda view: Write(events, shards)


class LedgerContract:
    def test_a_new_ledger_is_empty(self, make_ledger: MakeLedger) -> None:
        assert make_ledger().view() == LedgerState()

    def test_what_is_recorded_is_seen_by_others(self, make_ledger: MakeLedger) -> None:
        mine = make_ledger()
        view = mine.transact(always(intent("i1"), asked("i1", 0, "t1"), submitted("i1")))
        assert view.task_status(T1) is TaskStatus.IN_FLIGHT
        assert make_ledger().view() == view == mine.view()

    def test_an_old_reader_sees_what_came_later(self, make_ledger: MakeLedger) -> None:
        reader, writer = make_ledger(), make_ledger()
        writer.transact(always(intent("i1"), asked("i1", 0, "t1")))
        assert reader.view().task_status(T1) is TaskStatus.IN_FLIGHT
        writer.transact(always(answered("i1")))
        assert reader.view().task_status(T1) is TaskStatus.ANSWERED

    def test_an_empty_write_writes_nothing(self, make_ledger: MakeLedger) -> None:
        before = make_ledger().transact(always())
        assert before == LedgerState()
        kept = make_ledger().transact(always(plan("p1")))
        assert make_ledger().transact(always()) == kept

    def test_what_decide_raises_comes_through_and_nothing_is_written(
        self, make_ledger: MakeLedger
    ) -> None:
        def refuse(view: LedgerState) -> Write:
            raise BudgetExceeded("too much", "ask for less")

        with pytest.raises(BudgetExceeded):
            make_ledger().transact(refuse)
        assert make_ledger().view() == LedgerState()

    def test_decide_runs_again_when_a_rival_was_first(self, make_ledger: MakeLedger) -> None:
        mine, rival = make_ledger(), make_ledger()
        seen: list[bool] = []

        def claim(view: LedgerState) -> Write:
            seen.append(view.task_status(T1) is TaskStatus.NEW)
            if len(seen) == 1:
                rival.transact(always(intent("i1"), asked("i1", 0, "t1")))
            return Write((intent("i2"), asked("i2", 0, "t1"))) if seen[-1] else Write()

        view = mine.transact(claim)
        assert seen == [True, False]
        assert list(view.batch_records) == ["i1"]

    def test_of_many_writers_nothing_is_lost_and_nothing_is_claimed_twice(
        self, make_ledger: MakeLedger
    ) -> None:
        """Four writers want the same twelve tasks, one at a time, and note what they got."""
        got: list[tuple[str, str]] = []

        def claim_all(name: str) -> None:
            ledger = make_ledger()
            for number in range(6):
                claimed: list[str] = []

                def claim(
                    view: LedgerState, number: int = number, claimed: list[str] = claimed
                ) -> Write:
                    free = [
                        f"t{i}" for i in range(12) if view.task_status(TaskId(f"t{i}")) == "new"
                    ]
                    claimed[:] = free[:1]
                    key = f"{name}-{number}"
                    extra = (intent(key), asked(key, 0, *claimed)) if claimed else ()
                    return Write((plan(f"plan-{key}"), *extra))

                ledger.transact(claim)
                got.extend((name, task) for task in claimed)

        threads = [threading.Thread(target=claim_all, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        view = make_ledger().view()
        assert len(view.plans) == 24
        assert sorted(task for _, task in got) == sorted(f"t{i}" for i in range(12))
        assert len(view.batch_records) == 12

    def test_findings_come_back_in_the_order_of_the_answers(self, make_ledger: MakeLedger) -> None:
        shards = (
            Shard(intent("i1").id, 0, (finding("1"), finding("2", None))),
            Shard(intent("i1").id, 1, (finding("3", body="é\n\u2028"),)),
            Shard(intent("i2").id, 0, ()),
        )
        answers = (answered("i1", 0), answered("i1", 1), answered("i2", 0))
        asks = (asked("i1", 0, "t1"), asked("i1", 1, "t2"), asked("i2", 0, "t3"))
        make_ledger().transact(
            always(intent("i1", requests=2), intent("i2"), *asks, *answers, shards=shards)
        )
        ledger = make_ledger()
        pairs = ledger.view().answers_of([TaskId("t2"), T1, TaskId("t3")])
        found = list(ledger.findings(answer for _, answer in reversed(pairs)))
        assert [row.id for row in found] == ["3", "1", "2"]
        assert found == [*shards[1].findings, *shards[0].findings]
        assert list(make_ledger().findings([answered("i1", 0)])) == []

    def test_the_view_names_the_shards_until_they_are_dropped(
        self, make_ledger: MakeLedger
    ) -> None:
        ledger = make_ledger()
        shard = Shard(intent("i1").id, 0, (finding("1"),))
        stored = ledger.transact(
            always(intent("i1"), asked("i1", 0), answered("i1", 0), shards=(shard,))
        )
        [row] = stored.requests
        assert row.answer
        assert stored.shards == {row.answer.shard}
        dropped = ledger.transact(lambda view: Write(drops=tuple(view.shards)))
        assert dropped.shards == make_ledger().view().shards == frozenset()
        assert list(ledger.findings([row.answer])) == []

    def test_a_shard_of_an_unknown_name_is_skipped(self, make_ledger: MakeLedger) -> None:
        make_ledger().transact(always(plan("p1")))
        lost = answered("i1", shard="answers/i1/0-0123456789abcdef.jsonl.gz")
        assert list(make_ledger().findings([lost])) == []

    def test_the_same_write_twice_is_the_same_state(self, make_ledger: MakeLedger) -> None:
        write = always(intent("i1"), asked("i1", 0, "t1"), answered("i1"), forgotten("t9"))
        once = make_ledger().transact(write)
        assert make_ledger().transact(write) == once
        assert once.spent(at(0)) == answered("i1").usd
        assert once.batch_records[intent("i1").id].answers[0].outcome is Outcome.SUCCEEDED

    def test_folding_changes_no_answer_and_is_done_once(self, make_ledger: MakeLedger) -> None:
        ledger = make_ledger()
        for name in ("i1", "i2"):
            ledger.transact(always(intent(name), asked(name, 0, f"t-{name}"), submitted(name)))
            ledger.transact(always(answered(name)))
        before = make_ledger().view()
        later = at(60 * 24 * 40)
        once = ledger.transact(lambda view: Write((plan("p1"),), fold_before=later))
        assert once == make_ledger().view()
        assert len(once.requests) == len(before.requests) == 2
        assert [once.task_status(TaskId(f"t-{name}")) for name in ("i1", "i2")] == ["answered"] * 2
        assert once.spent(at(0)) == before.spent(at(0))
        assert [p.id for p in once.plans] == ["p1"]
        assert ledger.transact(lambda view: Write(fold_before=later)) == once

    def test_of_folders_and_writers_at_once_nobody_loses_anything(
        self, make_ledger: MakeLedger
    ) -> None:
        """Two fold whatever is there while two write."""
        later = at(60 * 24 * 40)

        def write(name: str) -> None:
            ledger = make_ledger()
            for number in range(5):
                key = f"{name}{number}"
                ledger.transact(always(intent(key), asked(key, 0, key), answered(key), plan(key)))

        def fold(_: str) -> None:
            ledger = make_ledger()
            for _number in range(4):
                ledger.transact(lambda view: Write(fold_before=later))

        jobs = [(write, "a"), (write, "b"), (fold, "c"), (fold, "d")]
        threads = [threading.Thread(target=job, args=(name,)) for job, name in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        view = make_ledger().view()
        keys = sorted(f"{name}{number}" for name in "ab" for number in range(5))
        assert sorted(plan.id for plan in view.plans) == sorted(view.batch_records) == keys
        assert view.spent(at(0)) == 10 * Decimal("0.02")
