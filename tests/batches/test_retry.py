from collections.abc import Iterator

import pytest

from claude_batch.batches.retry import retry
from claude_batch.errors import BadUsage
from claude_batch.ledger.events import Stamp
from claude_batch.ledger.view import TaskStatus
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.submission.scope import ReviewScope
from claude_batch.tasks.task import TaskId
from rig import REPO, Reviewer, Rig, open_rig
from scratch import Work

BAD = ModelReply(result="errored", error=("invalid_request_error", "no"))


@pytest.fixture
def rig(work: Work) -> Iterator[Rig]:
    with open_rig(work.path, reviewer=Reviewer({"bad.py": BAD})) as made:
        yield made


def collected(rig: Rig) -> ReviewScope:
    """A task that failed for good, and one that was answered."""
    subject = rig.apart("bad.py", "good.py")
    rig.submit(subject)
    rig.collect()
    return subject


def free(rig: Rig, *prefixes: str, reanswer: bool = False) -> list[TaskId]:
    stamp = Stamp("run-1", REPO, rig.clock)
    return retry([rig.ledger], prefixes, reanswer=reanswer, stamp=stamp)


def standings(rig: Rig, subject: ReviewScope) -> list[TaskStatus]:
    return [rig.view.task_status(task.id) for task in subject.tasks]


def test_all_that_failed(rig: Rig) -> None:
    subject = collected(rig)
    assert standings(rig, subject) == [TaskStatus.FAILED, TaskStatus.ANSWERED]
    assert free(rig) == [subject.tasks[0].id]
    assert standings(rig, subject) == [TaskStatus.NEW, TaskStatus.ANSWERED]
    assert rig.submit(subject).plan.new == 1


def test_twice_is_once(rig: Rig) -> None:
    collected(rig)
    free(rig)
    tip = rig.ledger.tip()
    assert free(rig) == []
    assert rig.ledger.tip() == tip


def test_what_was_answered_only_on_demand(rig: Rig) -> None:
    subject = collected(rig)
    good = subject.tasks[1].id
    assert free(rig, good[:10]) == []
    assert free(rig, good[:10], reanswer=True) == [good]
    assert standings(rig, subject) == [TaskStatus.FAILED, TaskStatus.NEW]
    assert rig.view.answers() == [], "an answer that was forgotten speaks no more"


def test_all_tasks_of_a_batch(rig: Rig) -> None:
    subject = collected(rig)
    (sending,) = rig.view.batch_records.values()
    freed = free(rig, str(sending.submitted.batch), reanswer=True)
    assert set(freed) == {task.id for task in subject.tasks}


@pytest.mark.parametrize(
    ("prefixes", "reanswer", "said"),
    [
        ((), True, "needs the ids"),
        (("",), True, "too short"),
        (("abc",), False, "too short"),
        (("msgbatch_ab",), True, "too short"),
        (("nothing-like-it",), False, "nothing-like-it"),
    ],
)
def test_what_is_not_named_well_frees_nothing(
    rig: Rig, prefixes: tuple[str, ...], reanswer: bool, said: str
) -> None:
    subject = collected(rig)
    with pytest.raises(BadUsage, match=said):
        free(rig, *prefixes, reanswer=reanswer)
    assert standings(rig, subject) == [TaskStatus.FAILED, TaskStatus.ANSWERED]


def test_one_wrong_id_frees_nothing_of_the_others(rig: Rig) -> None:
    subject = collected(rig)
    with pytest.raises(BadUsage, match="ffffff-wrong"):
        free(rig, subject.tasks[0].id, "ffffff-wrong")
    assert standings(rig, subject)[0] is TaskStatus.FAILED
