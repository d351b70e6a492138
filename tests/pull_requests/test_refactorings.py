from claude_batch.pull_requests.refactorings import PatchSet
from ledger_events import plan
from responses import finding

ONE, TWO, THREE = finding(1), finding(2), finding(3)


def test_a_branch_is_named_for_its_edits_so_that_a_crash_leaves_one() -> None:
    made = PatchSet(plan("p1"), {}, (ONE, TWO), ())
    later = PatchSet(plan("p2"), {}, (TWO,), ((ONE, "the code has changed since"),))
    assert made.branch == later.branch
    assert PatchSet(plan("p1"), {}, (ONE, THREE), ()).branch != made.branch
