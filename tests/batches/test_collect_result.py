from collections.abc import Iterator, Mapping

from claude_batch.batches.collect_result import (
    MAX_FAILURES_KEPT,
    Answers,
    CollectResult,
    merge_results,
)
from claude_batch.cli.output.collect_result import collect_document, collect_text
from claude_batch.ledger.events import AnswerRecorded
from ledger_events import answered, failed


class Counted(Mapping[int, AnswerRecorded]):
    """Rows that notice when one of them is read."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def __getitem__(self, n: int) -> AnswerRecorded:
        self.read.append(n)
        return answered("i1", n)

    def __iter__(self) -> Iterator[int]:
        return iter(range(9))

    def __len__(self) -> int:
        return 9


def test_answers_are_read_one_by_one_when_they_are_looked_at() -> None:
    rows = Counted()
    large = CollectResult((), Answers(tuple((rows, n) for n in rows)), ())
    small = CollectResult((), (answered("i2"),), ())
    both = merge_results([large, small]).answers
    assert (len(both), rows.read) == (10, [])
    assert (both[2], both[-1]) == (answered("i1", 2), answered("i2"))
    assert rows.read == [2]
    assert both[7:] == (answered("i1", 7), answered("i1", 8), answered("i2"))
    assert list(both) == [*(answered("i1", n) for n in range(9)), answered("i2")]


def test_each_answer_is_read_once_for_all_that_is_said_of_it() -> None:
    rows = Counted()
    done = CollectResult((), Answers(tuple((rows, n) for n in rows)), ())
    assert collect_document(done)["answers"]["succeeded"] == 9
    assert "answers: 9 succeeded; 0 findings" in collect_text(done)
    assert done.receipt.requests == 9
    assert rows.read == [*range(9)]


def test_what_is_said_of_answers() -> None:
    refuting = answered("i1", 1, findings=2, refuted=("a", "b", "c"))
    bad = [failed("i1", n, error=f"reason {n}") for n in range(2, 2 + 2 * MAX_FAILURES_KEPT)]
    tally = CollectResult((), (answered("i1", 0, findings=1), refuting, *bad), ()).tally
    assert (tally.findings, tally.refuted, tally.receipt.requests) == (3, 3, 2 + len(bad))
    assert tally.failed == bad[:MAX_FAILURES_KEPT]
    assert sum(tally.outcomes.values()) == 2 + len(bad)


def test_no_answers_are_none() -> None:
    assert merge_results([]).answers == ()
    assert merge_results([]) != CollectResult((), (answered("i1"),), ())
