from said import finding, hunk, task

from claude_batch.diff import Side
from claude_batch.placement import Dropped, Placed, place
from claude_batch.task import TaskId

HUNK = """
 def f(x):
-    if x == 0:
+    if x == None:
+        return 0
     return x
"""
BLOB = b"\n" * 9 + b"def f(x):\n    if x == None:\n        return 0\n    return x\n"


def head(path: str) -> bytes | None:
    return BLOB if path == "src/a.py" else None


def test_a_finding_stands_where_its_task_stands_now() -> None:
    current = task("src/a.py", hunk(HUNK, old=8, new=10))
    found = finding(
        task=current.id,
        path="old/a.py",
        first=2,
        last=3,
        replacement="    if x is None:\n        pass",
    )
    placed, dropped = place([found], [current], head)
    assert placed == [
        Placed(found, "src/a.py", Side.RIGHT, 11, 12, "    if x is None:\n        pass\n")
    ]
    assert dropped == []


def test_of_equal_hunks_the_first_counts() -> None:
    first, second = task("b.py", hunk(HUNK, new=10)), task("b.py", hunk(HUNK, new=90))
    placed, _ = place([finding(task=first.id, first=2, last=2)], [first, second], head)
    assert [(one.first_line, one.line) for one in placed] == [(11, 11)]


def test_removed_lines_are_counted_on_the_left_and_get_no_suggestion() -> None:
    current = task("src/a.py", hunk(HUNK, old=8, new=10))
    found = finding(task=current.id, first=1, last=1, side=Side.LEFT, replacement="x")
    assert place([found], [current], head)[0] == [Placed(found, "src/a.py", Side.LEFT, 9, 9, None)]


def test_a_range_over_removed_lines_counts_the_new_ones() -> None:
    current = task("src/a.py", hunk(HUNK, old=8, new=10))
    found = finding(task=current.id, first=0, last=3, replacement="def f(x):\n    return x or 0")
    (placed,), _ = place([found], [current], head)
    assert (placed.first_line, placed.line) == (10, 12)
    assert placed.suggestion is not None


def test_a_replacement_without_proof_is_left_out_and_the_finding_stays() -> None:
    here, gone = task("src/a.py", hunk(HUNK, new=10)), task("gone.py", hunk(HUNK, new=10))
    broken = finding(task=here.id, first=2, last=2, replacement="    if x is None")
    unread = finding(2, task=gone.id, first=2, last=2, replacement="    if x is None:")
    placed, dropped = place([broken, unread], [here, gone], head)
    assert [one.suggestion for one in placed] == [None, None]
    assert dropped == []


def test_what_has_no_place_says_why() -> None:
    current = task("src/a.py", hunk(HUNK))
    lost = finding(1, task=None, unplaced="no such line")
    changed = finding(2, task=TaskId("gone"))
    beyond = finding(3, task=current.id, first=2, last=5)
    reversed_ = finding(4, task=current.id, first=3, last=2)
    other_side = finding(5, task=current.id, first=1, last=1, side=Side.RIGHT)
    untitled = finding(6, task=current.id, title=" ")
    placed, dropped = place(
        [lost, changed, beyond, reversed_, other_side, untitled], [current], head
    )
    assert placed == []
    assert dropped == [
        Dropped(lost, "unplaced"),
        Dropped(changed, "changed_meanwhile"),
        Dropped(beyond, "malformed"),
        Dropped(reversed_, "malformed"),
        Dropped(other_side, "malformed"),
        Dropped(untitled, "malformed"),
    ]
