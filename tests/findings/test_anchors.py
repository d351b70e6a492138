import base64
import hashlib
from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from claude_batch.diff.model import Hunk, Side
from claude_batch.findings.anchors import (
    AnchoredTask,
    AnchorError,
    LineRange,
    build_anchor,
    hash_line,
    lines_on_side,
    resolve_anchors,
)
from claude_batch.tasks.task import TaskId

ROW = st.tuples(
    st.sampled_from([b" ", b"+", b"-"]),
    st.sampled_from([b"", b"}", b"return x", b"\treturn  x", b"a" * 300, b"\xff\xfe"]),
).map(b"".join)
HUNK = st.lists(ROW, min_size=1, max_size=12).map(lambda rows: Hunk(1, 1, b"\n".join(rows)))
HUNKS = st.lists(HUNK, min_size=1, max_size=4)


def anchored(hunk: Hunk) -> AnchoredTask:
    return AnchoredTask.from_hunk(TaskId("t"), "a.py", hunk)


def shown(tasks: list[AnchoredTask]) -> list[str]:
    """The anchors in the order in which a request shows them."""
    hashes = [task.hash_at(at) for task in tasks for at in range(len(task.signs))]
    return [build_anchor(ordinal, hashed) for ordinal, hashed in enumerate(hashes, 1)]


def test_an_anchor_follows_the_documented_format() -> None:
    first, second = (hashlib.sha256(line).digest()[:6] for line in (b"a", b"b c"))
    task = anchored(Hunk(1, 1, b"-a\n+ b\tc"))
    assert (
        task.hashes == (base64.urlsafe_b64encode(first) + base64.urlsafe_b64encode(second)).decode()
    )
    for ordinal, found in enumerate(task.build_anchors(7), 7):
        named = f"{ordinal}:{task.hash_at(ordinal - 7)}".encode()
        number = int.from_bytes(hashlib.sha256(named).digest()[:4])
        letters = "".join(chr(97 + number // 26**digit % 26) for digit in range(3))
        assert found == f"{ordinal}{letters}"


@settings(deadline=None)
@given(HUNKS)
def test_every_anchor_leads_back_to_its_line(hunks: list[Hunk]) -> None:
    tasks = [anchored(hunk) for hunk in hunks]
    anchors = iter(shown(tasks))
    for index, hunk in enumerate(hunks):
        for position, line in enumerate(hunk.lines):
            mark = next(anchors)
            side = Side.LEFT if line.sign == "-" else Side.RIGHT
            assert resolve_anchors(mark, mark, tasks) == LineRange(index, position, position, side)


@settings(deadline=None)
@given(HUNKS, st.data())
def test_two_anchors_are_a_range_of_one_hunk_and_one_side_or_nothing(
    hunks: list[Hunk], data: st.DataObject
) -> None:
    tasks = [anchored(hunk) for hunk in hunks]
    anchors = shown(tasks)
    start, end = data.draw(st.sampled_from(anchors)), data.draw(st.sampled_from(anchors))
    try:
        found = resolve_anchors(start, end, tasks)
    except AnchorError:
        return
    lines = hunks[found.task_index].lines
    assert found.first <= found.last < len(lines)
    ends = {lines[found.first].sign, lines[found.last].sign}
    assert ends != {"+", "-"}
    assert (found.side is Side.LEFT) == ("-" in ends)


@settings(deadline=None)
@given(HUNKS, st.data())
def test_letters_of_another_line_are_refused_even_of_an_equal_one(
    hunks: list[Hunk], data: st.DataObject
) -> None:
    tasks = [anchored(hunk) for hunk in hunks]
    anchors = shown(tasks)
    ordinal = data.draw(st.integers(1, len(anchors)))
    letters = data.draw(st.sampled_from(anchors))[-3:]
    assume(letters != anchors[ordinal - 1][-3:])
    with pytest.raises(AnchorError, match="letters"):
        resolve_anchors(f"{ordinal}{letters}", f"{ordinal}{letters}", tasks)


def test_a_wrong_ordinal_does_not_fit_an_equal_line() -> None:
    tasks = [anchored(Hunk(1, 1, b"\n".join([b"+}"] * 200)))]
    letters = Counter(mark[-3:] for mark in shown(tasks))
    assert len(letters) > 190


@settings(deadline=None)
@given(st.text(max_size=12))
def test_other_text_is_an_anchor_error(text: str) -> None:
    tasks = [anchored(Hunk(1, 1, b"+a\n+b"))]
    assume(text.strip() not in shown(tasks))
    with pytest.raises(AnchorError):
        resolve_anchors(text, text, tasks)


TASKS = [anchored(Hunk(1, 1, b" a\n-b\n+c\n d")), anchored(Hunk(9, 9, b"+e"))]
MARKS = shown(TASKS)


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        (MARKS[0], MARKS[4], "in two hunks"),
        (MARKS[3], MARKS[0], "wrong order"),
        (MARKS[1], MARKS[2], "one anchor is on an added line"),
        ("6abc", "6abc", "no such line"),
        ("0abc", "0abc", "not an anchor"),
        ("", MARKS[0], "not an anchor"),
        ("line 3", MARKS[0], "not an anchor"),
    ],
)
def test_the_message_of_an_anchor_error_is_the_reason(start: str, end: str, why: str) -> None:
    with pytest.raises(AnchorError, match=why):
        resolve_anchors(start, end, TASKS)


def test_ranges_over_context_take_the_side_of_the_changed_end() -> None:
    assert resolve_anchors(MARKS[0], MARKS[1], TASKS) == LineRange(0, 0, 1, Side.LEFT)
    assert resolve_anchors(MARKS[0], MARKS[3], TASKS) == LineRange(0, 0, 3, Side.RIGHT)
    assert resolve_anchors(f" {MARKS[2]}\n", MARKS[3], TASKS) == LineRange(0, 2, 3, Side.RIGHT)


def test_lines_of_one_side_within_a_range() -> None:
    hunk = Hunk(1, 1, b" a\n-b\n+c\n d")
    assert [line.text for line in lines_on_side(hunk, 0, 3, Side.RIGHT)] == [b"a", b"c", b"d"]
    assert [line.text for line in lines_on_side(hunk, 0, 3, Side.LEFT)] == [b"a", b"b", b"d"]


def test_white_space_is_folded_in_a_hash_and_nothing_else() -> None:
    assert hash_line(b"  if a:\r") == hash_line(b"if\ta:")
    assert hash_line(b"ifa:") != hash_line(b"if a:")
    assert len(hash_line(b"")) == 8
