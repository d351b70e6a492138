from collections.abc import Iterator
from datetime import timedelta

import pytest

from claude_batch.costs.entries import list_cost_entries
from claude_batch.ledger.events import Stamp
from claude_batch.ledger.prune import PruneResult, prune
from claude_batch.pull_requests.record import record_end
from claude_batch.submission.scope import ReviewScope
from ledger_events import START
from rig import REPO, Rig, find, open_rig
from scratch import Work


@pytest.fixture
def rig(work: Work) -> Iterator[Rig]:
    with open_rig(work.path, reviewer=find("a = 1")) as made:
        yield made


def reviewed(rig: Rig, pr: int | None = 7, path: str = "a.py") -> ReviewScope:
    subject = rig.given({"path": path, "text": "a = 1\n"}, pr=pr)
    rig.submit(subject)
    rig.collect()
    return subject


def closed(rig: Rig, pr: int) -> None:
    record_end(rig.ledger, pr, Stamp("run-1", REPO, rig.clock), merged=True)


def pruned(rig: Rig, days: float) -> int:
    return prune(rig.ledger, rig.clock.at, timedelta(days=days)).dropped


def findings(rig: Rig) -> int:
    return len(list(rig.ledger.findings(answered for _, answered in rig.view.answers())))


def test_findings_go_when_their_pull_request_has_long_been_closed(rig: Rig) -> None:
    reviewed(rig)
    closed(rig, 7)
    assert pruned(rig, days=1) == 0
    rig.clock.forward(days=2)
    spent = rig.view.spent(rig.clock.at - timedelta(days=30))
    assert pruned(rig, days=1) == 1
    assert findings(rig) == 0
    assert rig.view.spent(rig.clock.at - timedelta(days=30)) == spent > 0
    again = rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}))
    assert [batch.tasks for batch in again.sent] == [1], "its answer cannot be read any more"


def test_an_open_one_keeps_its_findings(rig: Rig) -> None:
    reviewed(rig)
    assert pruned(rig, days=-1) == 0
    assert findings(rig) == 1


def test_what_belongs_to_no_pull_request_stays(rig: Rig) -> None:
    reviewed(rig, pr=None)
    assert pruned(rig, days=-1) == 0


def test_what_an_open_one_reuses_stays(rig: Rig) -> None:
    reviewed(rig, pr=7)
    assert rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}, pr=8)).sent == ()
    closed(rig, 7)
    rig.clock.forward(days=2)
    assert pruned(rig, days=0) == 0
    closed(rig, 8)
    rig.clock.forward(days=2)
    assert pruned(rig, days=0) == 1


def test_one_that_was_reopened_and_submitted_again_is_open(rig: Rig) -> None:
    reviewed(rig)
    closed(rig, 7)
    reviewed(rig, path="b.py")
    rig.clock.forward(days=2)
    assert pruned(rig, days=0) == 0


def test_twice_is_once(rig: Rig) -> None:
    reviewed(rig)
    closed(rig, 7)
    rig.clock.forward(days=2)
    assert pruned(rig, days=0) == 1
    tip = rig.ledger.tip()
    pruned(rig, days=0)
    assert rig.ledger.tip() == tip


def test_old_log_files_are_folded_and_nothing_else_changes(rig: Rig) -> None:
    """Findings of an open pull request stay; a closed one's request becomes a row."""
    reviewed(rig, pr=7)
    reviewed(rig, pr=8, path="b.py")
    closed(rig, 7)
    before = rig.view
    assert prune(rig.ledger, rig.clock.at) == PruneResult()
    rig.clock.forward(days=60)
    assert prune(rig.ledger, rig.clock.at, when_due=True) == PruneResult()
    done = prune(rig.ledger, rig.clock.at)
    assert done.dropped == 1
    assert done.folded == len(before.log_sizes) > 3
    after = rig.view
    assert [path[:5] for path in after.log_sizes] == ["snap/"]
    assert findings(rig) == 1
    assert after.spent(START) == before.spent(START) > 0
    assert rig.submit(rig.given({"path": "b.py", "text": "a = 1\n"}, pr=9)).sent == ()
    assert list_cost_entries([after])[0].wait == list_cost_entries([before])[0].wait is not None
    assert prune(rig.ledger, rig.clock.at) == PruneResult()


def test_a_greater_age_folds_less_and_a_smaller_one_no_more(rig: Rig) -> None:
    reviewed(rig)
    rig.clock.forward(days=25)
    assert prune(rig.ledger, rig.clock.at, timedelta(0)).folded == 0
    rig.clock.forward(days=10)
    assert prune(rig.ledger, rig.clock.at, timedelta(days=40)).folded == 0
    assert prune(rig.ledger, rig.clock.at, timedelta(0)).folded > 0
