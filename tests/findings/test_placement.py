from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from claude_batch.diff.model import FileChange, Hunk, Side
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.findings.placement import DroppedFinding, PlacedFinding, place_findings
from claude_batch.findings.relocation import PreviousPlans
from claude_batch.git.earlier_commits import HistoryReaders
from claude_batch.git.patch import compute_edits
from claude_batch.ledger.events import Plan
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import Task, TaskId
from responses import diff, finding, hunk, task

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


def test_a_finding_is_placed_where_its_task_is_now() -> None:
    current = task("src/a.py", hunk(HUNK, old=8, new=10))
    found = finding(
        task=current.id,
        path="old/a.py",
        first=2,
        last=3,
        replacement="    if x is None:\n        pass",
    )
    placed, dropped = place_findings([found], [current], head)
    assert placed == [
        PlacedFinding(found, "src/a.py", Side.RIGHT, 11, 12, "    if x is None:\n        pass\n")
    ]
    assert dropped == []


def test_of_equal_hunks_the_first_is_used() -> None:
    first, second = task("b.py", hunk(HUNK, new=10)), task("b.py", hunk(HUNK, new=90))
    placed, _ = place_findings([finding(task=first.id, first=2, last=2)], [first, second], head)
    assert [(one.first_line, one.line) for one in placed] == [(11, 11)]


def test_removed_lines_are_counted_on_the_left_and_get_no_suggestion() -> None:
    current = task("src/a.py", hunk(HUNK, old=8, new=10))
    found = finding(task=current.id, first=1, last=1, side=Side.LEFT, replacement="x")
    assert place_findings([found], [current], head)[0] == [
        PlacedFinding(found, "src/a.py", Side.LEFT, 9, 9, None)
    ]


def test_a_range_over_removed_lines_counts_the_new_ones() -> None:
    current = task("src/a.py", hunk(HUNK, old=8, new=10))
    found = finding(task=current.id, first=0, last=3, replacement="def f(x):\n    return x or 0")
    (placed,), _ = place_findings([found], [current], head)
    assert (placed.first_line, placed.line) == (10, 12)
    assert placed.suggestion is not None


def test_an_invalid_replacement_is_dropped_and_the_finding_stays() -> None:
    here, gone = task("src/a.py", hunk(HUNK, new=10)), task("gone.py", hunk(HUNK, new=10))
    broken = finding(task=here.id, first=2, last=2, replacement="    if x is None")
    unread = finding(2, task=gone.id, first=2, last=2, replacement="    if x is None:")
    placed, dropped = place_findings([broken, unread], [here, gone], head)
    assert [one.suggestion for one in placed] == [None, None]
    assert dropped == []


def test_a_dropped_finding_has_a_reason() -> None:
    current = task("src/a.py", hunk(HUNK))
    lost = finding(1, task=None, unplaced="no such line")
    changed = finding(2, task=TaskId("gone"))
    beyond = finding(3, task=current.id, first=2, last=5)
    reversed_ = finding(4, task=current.id, first=3, last=2)
    other_side = finding(5, task=current.id, first=1, last=1, side=Side.RIGHT)
    untitled = finding(6, task=current.id, title=" ")
    placed, dropped = place_findings(
        [lost, changed, beyond, reversed_, other_side, untitled], [current], head
    )
    assert placed == []
    assert dropped == [
        DroppedFinding(lost, "unplaced"),
        DroppedFinding(changed, "changed_meanwhile"),
        DroppedFinding(beyond, "malformed"),
        DroppedFinding(reversed_, "malformed"),
        DroppedFinding(other_side, "malformed"),
        DroppedFinding(untitled, "malformed"),
    ]


# -- carried from an earlier head --------------------------------------------------------------

OLD = b"".join(b"line_%d = compute(%d)\n" % (n, n) for n in range(1, 31))
ASKED = """
 line_9 = compute(9)
-line_10 = old
+line_10 = compute(10)
+line_11 = compute(11)
 line_12 = compute(12)
"""
OLD_BLOB, NEW_BLOB, BASE_BLOB = "a" * 40, "d" * 40, "c" * 40


def past(
    head_bytes: bytes | None,
    *,
    asked: Task,
    now: Hunk,
    old: bytes | None = OLD,
    path: str = "src/a.py",
    old_path: str = "src/a.py",
    plan_starts: tuple[tuple[int, int], ...] = ((9, 9),),
    renamed: str | None = None,
    folded: bool = False,
) -> PreviousPlans:
    """One plan that saw `asked` in src/a.py; today's diff shows `now` in `path`."""
    planned = PlannedFile(
        path="src/a.py",
        old_path="src/a.py",
        old_blob=BASE_BLOB,
        new_blob=OLD_BLOB,
        tasks=tuple(
            PlannedTask(id=asked.id, kind="review", old_start=o, new_start=n)
            for o, n in plan_starts
        ),
    )
    plan = Plan(
        at=datetime(2026, 11, 22, tzinfo=UTC),
        run="r",
        repo="o/r",
        id="p",
        pr=7,
        label="pull request 7",
        base="1" * 40,
        head="2" * 40,
        files=(planned,),
        new=1,
        reused=0,
    )
    change = FileChange(
        path, old_path, "modified", 0o100644, 0o100644, BASE_BLOB, NEW_BLOB, hunks=(now,)
    )
    today = replace(diff(), files=(change,))
    blobs = {OLD_BLOB: old, NEW_BLOB: head_bytes}
    return PreviousPlans(
        (plan,),
        {} if folded else {asked.id: AnchoredTask.from_hunk(asked.id, asked.path, asked.hunk)},
        today,
        HistoryReaders(
            lambda oid, commit: blobs.get(oid), compute_edits, lambda commit, name: renamed
        ),
    )


def context(content: bytes, first: int, last: int) -> Hunk:
    rows = content.split(b"\n")[first - 1 : last]
    return Hunk(first, first, b"\n".join(b" " + row for row in rows))


def reading(content: bytes | None, path: str = "src/a.py") -> Callable[[str], bytes | None]:
    return lambda name: content if name == path else None


def test_lines_below_an_edit_are_tracked_with_their_suggestion() -> None:
    asked = task("src/a.py", hunk(ASKED, old=9, new=9))
    found = finding(task=asked.id, first=3, last=3, replacement="line_11 = compute(11, fast)")
    new = b"import fast\n\n" + OLD
    (placed,), _ = place_findings(
        [found], [], reading(new), past(new, asked=asked, now=context(new, 9, 16))
    )
    assert (placed.first_line, placed.line, placed.method) == (13, 13, "walk")
    assert placed.suggestion == "line_11 = compute(11, fast)\n"


def test_a_suggestion_is_dropped_if_the_lines_around_it_have_changed() -> None:
    asked = task("src/a.py", hunk(ASKED, old=9, new=9))
    found = finding(task=asked.id, first=3, last=3, replacement="line_11 = compute(11, fast)")
    new = OLD.replace(b"line_13 = compute(13)", b"line_13 = other")
    (placed,), _ = place_findings(
        [found], [], reading(new), past(new, asked=asked, now=context(new, 9, 16))
    )
    assert (placed.line, placed.method, placed.suggestion) == (11, "walk", None)


def test_moved_lines_have_no_suggestion() -> None:
    asked = task("src/a.py", hunk(ASKED, old=9, new=9))
    wanted = finding(task=asked.id, first=2, last=3, replacement="both = compute()")
    rows = OLD.splitlines(keepends=True)
    new = b"".join([*rows[:9], *rows[11:25], *rows[9:11], *rows[25:]])
    (placed,), _ = place_findings(
        [wanted], [], reading(new), past(new, asked=asked, now=context(new, 20, 28))
    )
    assert (placed.first_line, placed.line, placed.method) == (24, 25, "moved")
    assert placed.suggestion is None


def test_lines_that_are_gone_have_changed_meanwhile() -> None:
    asked = task("src/a.py", hunk(ASKED, old=9, new=9))
    found = finding(task=asked.id, first=3, last=3)
    edited = OLD.replace(b"compute(11)", b"compute(eleven)")
    for new in (edited, None):
        known = past(new, asked=asked, now=context(edited, 9, 16), path="b.py", old_path="b.py")
        assert place_findings([found], [], reading(new), known) == (
            [],
            [DroppedFinding(found, "changed_meanwhile")],
        )


def test_lines_that_the_diff_no_longer_shows_go_to_the_summary() -> None:
    asked = task("src/a.py", hunk(ASKED, old=9, new=9))
    found = finding(task=asked.id, first=3, last=3)
    known = past(OLD, asked=asked, now=context(OLD, 20, 26))
    assert place_findings([found], [], reading(OLD), known) == (
        [],
        [DroppedFinding(found, "outside_diff")],
    )
    known = past(OLD, asked=asked, now=context(OLD, 8, 13))
    (placed,), _ = place_findings([found], [], reading(OLD), known)
    assert (placed.line, placed.method) == (11, "blob")


def test_a_file_that_was_renamed_is_followed() -> None:
    asked = task("src/a.py", hunk(ASKED, old=9, new=9))
    found = finding(task=asked.id, first=3, last=3)
    new = b"import fast\n" + OLD
    by_diff = past(new, asked=asked, now=context(new, 9, 16), path="src/b.py")
    by_git = past(
        new, asked=asked, now=context(new, 9, 16), path="src/b.py", old_path="src/b.py",
        renamed="src/b.py",
    )  # fmt: skip
    for known in (by_diff, by_git):
        (placed,), _ = place_findings([found], [], reading(new, "src/b.py"), known)
        assert (placed.path, placed.line) == ("src/b.py", 12)


def test_without_the_old_file_the_hashes_of_the_whole_hunk_decide() -> None:
    asked = task("src/a.py", hunk(ASKED, old=9, new=9))
    found = finding(task=asked.id, first=3, last=3, replacement="line_11 = other")
    new = b"import fast\n" + OLD
    known = past(new, asked=asked, now=context(new, 9, 16), old=None)
    (placed,), _ = place_findings([found], [], reading(new), known)
    assert (placed.line, placed.method, placed.suggestion) == (12, "hashes", None)
    twice = new + OLD
    known = past(twice, asked=asked, now=context(twice, 9, 16), old=None)
    assert place_findings([found], [], reading(twice), known)[0] == []


def test_lines_of_another_blob_are_not_tracked() -> None:
    asked = task("src/a.py", hunk(ASKED, old=9, new=9))
    found = finding(task=asked.id, first=3, last=3)
    known = past(OLD, asked=asked, now=context(OLD, 8, 16), plan_starts=((9, 19),))
    assert place_findings([found], [], reading(OLD), known)[0] == []
    folded = past(OLD, asked=asked, now=context(OLD, 8, 16), folded=True)
    assert place_findings([found], [], reading(OLD), folded)[0] == []


def test_a_removed_line_is_placed_while_the_diff_shows_it_as_removed() -> None:
    asked = task("src/a.py", hunk(ASKED, old=9, new=9))
    found = finding(task=asked.id, first=1, last=1, side=Side.LEFT)
    still = hunk("\n line_9 = compute(9)\n-line_10 = old\n+line_10 = new\n", old=9, new=9)
    (placed,), _ = place_findings([found], [], reading(OLD), past(OLD, asked=asked, now=still))
    assert (placed.side, placed.line, placed.method) == (Side.LEFT, 10, "blob")
    restored = hunk("\n line_9 = compute(9)\n line_10 = old\n+line_10 = new\n", old=9, new=9)
    assert place_findings([found], [], reading(OLD), past(OLD, asked=asked, now=restored))[0] == []
    elsewhere = context(OLD, 20, 26)
    assert place_findings([found], [], reading(OLD), past(OLD, asked=asked, now=elsewhere))[0] == []


def test_of_equal_hunks_the_reviewed_one_is_used() -> None:
    low, high = (task("src/a.py", hunk(ASKED, old=n, new=n)) for n in (29, 69))
    found = finding(task=low.id, first=3, last=3)

    def where(starts: tuple[tuple[int, int], ...], tasks: list[Task]) -> int:
        known = past(OLD, asked=low, now=low.hunk, plan_starts=starts)
        (placed,), _ = place_findings([found], tasks, reading(OLD), known)
        return placed.line

    assert where(((60, 60), (100, 100)), [low, high]) == 31  # both are there, forty lines higher
    assert where(((60, 60),), [low, high]) == 71
    assert where(((30, 30),), [low, high]) == 31
