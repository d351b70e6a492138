import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from claude_batch.diff.model import FileChange, Hunk
from claude_batch.diff.parser import parse_hunks
from claude_batch.diff.whole_files import build_context_hunk
from claude_batch.tasks.task import (
    MAX_LINES,
    DiffOrigin,
    FileOrigin,
    build_tasks,
    compute_task_id,
    split_hunk,
    unique_tasks,
)

OLD, NEW = "1" * 40, "2" * 40


def change(
    patch: bytes, path: str = "src/a.py", old_path: str = "src/a.py", status: str = "modified"
) -> FileChange:
    modes = 0o100644, 0o100644
    return FileChange(path, old_path, status, *modes, OLD, NEW, hunks=parse_hunks(patch))


def ids(found: FileChange, kind: str = "review", tag: str = "review.1") -> list[str]:
    return [task.id for task in build_tasks(found, kind, tag)]


HERE = b"@@ -1,3 +1,3 @@\n a\n-b\n+c\n d\n"
MOVED = b"@@ -90,3 +120,3 @@ def f():\n a\n-b\n+c\n d\n"


def test_an_id_is_a_documented_hash() -> None:
    hashed = b"1:1" + b"8:review.1" + b"8:src/a.py" + b" a\n-b\n+c\n d"
    assert ids(change(HERE)) == [hashlib.sha256(hashed).hexdigest()]


def test_an_id_stays_when_line_numbers_headings_or_blobs_move() -> None:
    rebased = FileChange(
        "src/a.py", "src/a.py", "modified", 0o100644, 0o100755, NEW, OLD, hunks=parse_hunks(MOVED)
    )
    assert ids(rebased) == ids(change(HERE))


def test_an_id_changes_with_path_kind_context_or_instruction() -> None:
    body = b" a\n-b\n+c\n d"
    all_ids = [
        *ids(change(HERE)),
        *ids(change(HERE, path="src/b.py")),
        *ids(change(HERE), tag="review.2"),
        *ids(change(HERE.replace(b" d", b" e"))),
        compute_task_id("review.1", "src/a.py", body, "look at the locks"),
    ]
    assert len(set(all_ids)) == len(all_ids)


def test_a_rename_alone_is_not_in_the_id_but_the_new_path_is() -> None:
    renamed = change(HERE, path="new.py", old_path="old.py", status="renamed")
    assert ids(renamed) == ids(change(HERE, path="new.py", old_path="new.py"))


def test_fields_of_an_id_cannot_run_into_each_other() -> None:
    assert compute_task_id("review.1", "a", b"b") != compute_task_id("review.", "1a", b"b")


def test_a_task_knows_where_it_comes_from() -> None:
    named = FileChange(
        "a", "a", "named", 0o100644, 0o100644, NEW, NEW, hunks=(build_context_hunk(b"x\n"),)
    )
    assert [task.origin for task in build_tasks(named, "docs", "docs.1")] == [FileOrigin(NEW)]
    assert next(build_tasks(change(HERE), "docs", "docs.1")).origin == DiffOrigin(
        "src/a.py", OLD, NEW
    )


def test_equal_hunks_of_a_file_are_one_question_and_the_first_stays() -> None:
    both = list(build_tasks(change(HERE + MOVED), "review", "review.1"))
    assert unique_tasks(both) == (both[0],)


ROW = st.tuples(
    st.sampled_from([b" ", b"+", b"-"]), st.sampled_from([b"", b"x = 1", b"    y", b"def f():"])
).map(b"".join)
BLOCK = st.lists(ROW, min_size=1, max_size=80)
BODIES = st.tuples(BLOCK, st.integers(1, 40), BLOCK, st.booleans()).map(
    lambda drawn: (
        b"\n".join(drawn[0] * drawn[1] + drawn[2])
        + (b"\n\\ No newline at end of file" if drawn[3] else b"")
    )
)


@settings(deadline=None)
@given(BODIES, st.integers(1, 9), st.integers(1, 9))
def test_pieces_give_back_the_changed_lines_with_their_numbers(
    body: bytes, old: int, new: int
) -> None:
    hunk = Hunk(old, new, body, b"heading")
    kept = [line for piece in split_hunk(hunk) for line in piece.lines]
    there = set(kept)
    dropped = [line for line in hunk.lines if line not in there]
    assert kept == [line for line in hunk.lines if line in there]
    if dropped:
        assert {line.sign for line in dropped} == {" "}
        assert {line.sign for line in kept} != {" "}


@settings(deadline=None)
@given(BODIES)
def test_no_piece_is_too_long_and_none_of_a_changed_hunk_is_only_context(body: bytes) -> None:
    hunk = Hunk(1, 1, body)
    found = list(split_hunk(hunk))
    assert all(len(piece.lines) <= MAX_LINES for piece in found)
    if any(line.sign != " " for line in hunk.lines):
        assert all(any(line.sign != " " for line in piece.lines) for piece in found)


@settings(deadline=None)
@given(BODIES.map(lambda body: body.replace(b"\n+", b"\n ").replace(b"\n-", b"\n ")))
def test_pieces_of_a_named_file_are_the_whole_file(body: bytes) -> None:
    hunk = Hunk(1, 1, b" " + body[1:])
    assert b"\n".join(piece.body for piece in split_hunk(hunk)) == hunk.body


def numbered(count: int) -> list[bytes]:
    return [b"+" if at % 7 == 0 else b"+row %d" % at for at in range(1, count + 1)]


def test_a_line_added_to_a_long_new_file_leaves_the_ids_of_later_parts_alone() -> None:
    rows = numbered(4000)
    before = [piece.body for piece in split_hunk(Hunk(0, 1, b"\n".join(rows)))]
    rows.insert(10, b"+one more")
    after = [piece.body for piece in split_hunk(Hunk(0, 1, b"\n".join(rows)))]
    assert len(before) > 10
    assert len(set(before) - set(after)) == 1


def test_the_context_after_a_long_addition_is_no_task_of_its_own() -> None:
    rows = [b"+x = %d" % at for at in range(MAX_LINES)]
    found = list(split_hunk(Hunk(1, 1, b"\n".join([*rows, b" a", b" b", b" c"]))))
    assert [len(piece.lines) for piece in found] == [MAX_LINES]
