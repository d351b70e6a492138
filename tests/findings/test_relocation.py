import pytest

from claude_batch.diff.model import Side
from claude_batch.diff.parser import parse_hunks
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.findings.finding import Category, Confidence, Finding, Severity
from claude_batch.findings.relocation import RelocatedLines, find_lines, relocate
from claude_batch.findings.suggestions import RejectedSuggestion, Suggestion
from claude_batch.tasks.task import TaskId

(HUNK,) = parse_hunks(
    b"@@ -1,4 +1,4 @@\n def f():\n-    a = 1\n+    a = 2\n+    b = 3\n     return a\n"
)
TASK = AnchoredTask.from_hunk(TaskId("t"), "a.py", HUNK)
NEW = [b"def f():", b"    a = 2", b"    b = 3", b"    return a"]


def finding(first: int, last: int, side: Side = Side.RIGHT) -> Finding:
    return Finding(
        id="1" * 16,
        fingerprint="2" * 16,
        task=TaskId("t"),
        kind="review",
        path="a.py",
        first=first,
        last=last,
        side=side,
        category=Category.BUG,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        title="T",
        body="B",
    )


@pytest.mark.parametrize(
    ("first", "last", "lines"),
    [(0, 0, (1, 1)), (2, 2, (2, 2)), (2, 3, (2, 3)), (0, 4, (1, 4)), (4, 4, (4, 4))],
)
@pytest.mark.parametrize("above", [0, 3])
def test_the_lines_are_found_where_the_hunk_is_now(
    first: int, last: int, lines: tuple[int, int], above: int
) -> None:
    rows = [b"# above"] * above + NEW + [b"# below"]
    assert find_lines(finding(first, last), TASK, rows) == (lines[0] + above, lines[1] + above)


def test_indentation_may_change() -> None:
    assert find_lines(finding(2, 2), TASK, [b"\t" + row.strip() for row in NEW]) == (2, 2)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("gone", []),
        ("changed", [NEW[0], b"    a = 9", *NEW[2:]]),
        ("cut", NEW[:-1]),
        ("twice", [*NEW, *NEW]),
        ("an insertion between", [*NEW[:2], b"    new = 1", *NEW[2:]]),
    ],
)
def test_other_files_give_no_lines(name: str, rows: list[bytes]) -> None:
    assert find_lines(finding(2, 2), TASK, rows) is None, name


def test_removed_lines_are_not_found() -> None:
    assert find_lines(finding(1, 1, Side.LEFT), TASK, NEW) is None


def test_a_replacement_is_validated_against_the_current_file() -> None:
    file = b"# above\r\n" + b"".join(row + b"\r\n" for row in NEW)
    wanted = finding(2, 2).model_copy(update={"replacement": "    a = 3"})
    proof = Suggestion("a.py", 3, 3, b"    a = 2\r\n", b"    a = 3\r\n", is_parsed=True)
    assert relocate(wanted, TASK, file) == RelocatedLines(3, 3, proof)
    assert relocate(finding(2, 2), TASK, file) == RelocatedLines(
        3, 3, RejectedSuggestion("nothing is suggested")
    )
    assert relocate(wanted, TASK, file * 2) is None


def test_a_folded_request_keeps_no_hashes() -> None:
    bare = AnchoredTask(id=TaskId("t"), path="", signs="", hashes="")
    assert find_lines(finding(0, 0), bare, NEW) is None
