import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_batch.diff.model import Hunk
from claude_batch.diff.whole_files import build_context_hunk
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.tasks.plan import PlannedTask
from claude_batch.tasks.task import TaskId
from claude_batch.verification.evidence import CONTEXT_LINES, build_excerpt
from responses import hunk

OLD = b"".join(b"line %d\n" % n for n in range(1, 61))
NEW = OLD.replace(b"line 30\n", b"line thirty\nline more\n").replace(b"line 31\n", b"")
HUNK = hunk(
    """
 line 27
 line 28
 line 29
-line 30
-line 31
+line thirty
+line more
 line 32
 line 33
 line 34
""",
    27,
    27,
)


def asked(drawn: Hunk) -> AnchoredTask:
    return AnchoredTask.from_hunk(TaskId("t"), "a.py", drawn)


def planned(old_start: int, new_start: int) -> PlannedTask:
    return PlannedTask(id=TaskId("t"), kind="review", old_start=old_start, new_start=new_start)


def test_the_hunk_is_read_from_the_two_blobs() -> None:
    code = build_excerpt(asked(HUNK), planned(27, 27), OLD, NEW)
    assert code
    assert code.hunk == HUNK
    assert code.above[-1] == b"line 26"
    assert code.below[0] == b"line 35"
    assert len(code.above) == len(code.below) == CONTEXT_LINES


@pytest.mark.parametrize(
    ("old", "new", "start"),
    [(OLD, OLD, 27), (NEW, NEW, 27), (OLD, NEW, 26), (b"", NEW, 27), (OLD, b"", 27)],
)
def test_other_code_is_no_evidence(old: bytes, new: bytes, start: int) -> None:
    assert build_excerpt(asked(HUNK), planned(start, start), old, new) is None


def test_a_new_a_deleted_and_a_named_file() -> None:
    added = hunk("+a = 1\n+b = 2", 0, 1)
    code = build_excerpt(asked(added), planned(0, 1), b"", b"a = 1\nb = 2")
    assert code
    assert code.hunk.body == added.body
    gone = hunk("-a = 1\n-b = 2", 1, 0)
    code = build_excerpt(asked(gone), planned(1, 0), b"a = 1\nb = 2\n", b"")
    assert code
    assert code.hunk.body == gone.body
    whole = build_context_hunk(OLD)
    code = build_excerpt(asked(whole), planned(1, 1), OLD, OLD)
    assert code
    assert code.hunk.body == whole.body
    assert code.above == code.below == ()


def test_a_folded_request_has_no_evidence() -> None:
    task = AnchoredTask(id=TaskId("t"), path="a.py", signs="", hashes="")
    assert build_excerpt(task, planned(1, 1), OLD, NEW) is None


@given(st.lists(st.sampled_from([b"a", b"b", b"", b"  c", b"\r"]), max_size=12), st.binary())
def test_whatever_the_blobs_hold(lines: list[bytes], other: bytes) -> None:
    new = b"\n".join(lines)
    code = build_excerpt(asked(HUNK), planned(27, 27), other, new)
    assert code is None
