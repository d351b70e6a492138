from collections.abc import Iterator

import pytest

from claude_batch.batches.cancel import cancel
from claude_batch.errors import BadUsage
from claude_batch.ledger.view import TaskStatus
from rig import Rig, open_rig
from scratch import Work


@pytest.fixture
def rig(work: Work) -> Iterator[Rig]:
    with open_rig(work.path, seconds=600) as made:
        yield made


def submit(rig: Rig, path: str, pr: int = 7) -> str:
    (sent,) = rig.submit(rig.given({"path": path, "text": path}, pr=pr)).sent
    return str(sent.id)


def statuses(rig: Rig) -> dict[str, str]:
    rows = rig.view.batch_records.values()
    return {str(one.submitted.batch): one.status(rig.clock.at) for one in rows if one.submitted}


def test_one_by_its_prefix(rig: Rig) -> None:
    first, second = submit(rig, "a.py"), submit(rig, "b.py")
    assert cancel([rig.ledger], rig.claude, [first[:20]], "run-1", rig.clock) == [
        (first, "canceling")
    ]
    assert statuses(rig) == {first: "canceling", second: "in_progress"}


def test_all_of_them(rig: Rig) -> None:
    names = {submit(rig, "a.py"), submit(rig, "b.py")}
    done = cancel([rig.ledger], rig.claude, [], "run-1", rig.clock)
    assert {name for name, _ in done} == names
    assert cancel([], rig.claude, [], "run-1", rig.clock) == []


def test_twice_is_once(rig: Rig) -> None:
    name = submit(rig, "a.py")
    cancel([rig.ledger], rig.claude, [], "run-1", rig.clock)
    tip = rig.ledger.tip()
    assert cancel([rig.ledger], rig.claude, [], "run-1", rig.clock) == [(name, "ended")]
    assert rig.ledger.tip() == tip


def test_a_name_that_nothing_has_cancels_nothing(rig: Rig) -> None:
    name = submit(rig, "a.py")
    with pytest.raises(BadUsage, match="msgbatch_nothing"):
        cancel([rig.ledger], rig.claude, [name, "msgbatch_nothing"], "run-1", rig.clock)
    assert statuses(rig) == {name: "in_progress"}


def test_what_had_ended_is_told_and_collected_as_ever(rig: Rig) -> None:
    name = submit(rig, "a.py")
    rig.clock.forward(seconds=600)
    assert cancel([rig.ledger], rig.claude, [], "run-1", rig.clock) == [(name, "ended")]
    assert statuses(rig) == {name: "in_progress"}
    assert rig.collect().counts()["succeeded"] == 1


def test_what_was_canceled_may_be_asked_again(rig: Rig) -> None:
    subject = rig.given({"path": "a.py", "text": "a"})
    for _ in range(3):
        assert len(rig.submit(subject).sent) == 1
        cancel([rig.ledger], rig.claude, [], "run-1", rig.clock)
        assert rig.collect().counts()["canceled"] == 1
    assert rig.view.task_status(subject.tasks[0].id) is TaskStatus.NEW
