from collections.abc import Iterator

import pytest

from claude_batch.batches.retry import retry
from claude_batch.errors import BadUsage
from claude_batch.ledger.view import Standing
from claude_batch.sandbox.anthropic_server.server import Reply
from claude_batch.submission.scope import Subject
from claude_batch.tasks.task import TaskId
from rig import REPO, Reviewer, Rig, open_rig
from scratch import Work

BAD = Reply(result="errored", error=("invalid_request_error", "no"))


@pytest.fixture
def rig(work: Work) -> Iterator[Rig]:
    with open_rig(work.path, reviewer=Reviewer({"bad.py": BAD})) as made:
        yield made


def collected(rig: Rig) -> Subject:
    """A task that failed for good, and one that was answered."""
    subject = rig.apart("bad.py", "good.py")
    rig.submit(subject)
    rig.collect()
    return subject


def free(rig: Rig, *prefixes: str, reanswer: bool = False) -> list[TaskId]:
    return retry([rig.ledger], prefixes, reanswer=reanswer, repo=REPO, run="run-1", now=rig.clock)


def standings(rig: Rig, subject: Subject) -> list[Standing]:
    return [rig.view.standing(task.id) for task in subject.tasks]


def test_all_that_failed(rig: Rig) -> None:
    subject = collected(rig)
    assert standings(rig, subject) == [Standing.FAILED, Standing.ANSWERED]
    assert free(rig) == [subject.tasks[0].id]
    assert standings(rig, subject) == [Standing.NEW, Standing.ANSWERED]
    assert rig.submit(subject).claim.plan.new == 1


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
    assert standings(rig, subject) == [Standing.FAILED, Standing.NEW]
    assert rig.view.answers() == [], "an answer that was forgotten speaks no more"


def test_all_tasks_of_a_batch(rig: Rig) -> None:
    subject = collected(rig)
    (sending,) = rig.view.sendings.values()
    freed = free(rig, str(sending.submitted.batch), reanswer=True)
    assert set(freed) == {task.id for task in subject.tasks}


@pytest.mark.parametrize(
    ("prefixes", "reanswer", "said"),
    [
        ((), True, "names nothing"),
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
    assert standings(rig, subject) == [Standing.FAILED, Standing.ANSWERED]


def test_one_wrong_id_frees_nothing_of_the_others(rig: Rig) -> None:
    subject = collected(rig)
    with pytest.raises(BadUsage, match="ffffff-wrong"):
        free(rig, subject.tasks[0].id, "ffffff-wrong")
    assert standings(rig, subject)[0] is Standing.FAILED
