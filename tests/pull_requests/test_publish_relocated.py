"""What publish reads of earlier heads: here, at the remote only, or gone."""

from collections.abc import Callable
from pathlib import Path

from claude_batch.diff.line_tracking import Edit
from claude_batch.git.patch import compute_edits
from claude_batch.git.repository import Repository
from claude_batch.tasks.discovery import ChangeFinder
from scratch import Work
from shop import environ

ROWS = "".join(f"line_{n} = compute({n})\n" for n in range(1, 40))


def pushed_over(work: Work, make_work: Callable[..., Work]) -> tuple[Work, str, str, str]:
    """A shallow clone of a branch whose first push was replaced: clone, old head, blob, head."""
    base = work.commit({"a.py": ROWS})
    old = work.commit({"a.py": ROWS + "first = 1\n"})
    blob = work.git("rev-parse", f"{old}:a.py").decode().strip()
    work.git("config", "uploadpack.allowAnySHA1InWant", "true")
    work.git("reset", "-q", "--hard", base)
    work.git("mv", "a.py", "b.py")
    head = work.commit({"b.py": "import other\n" + ROWS + "first = 1\n"})
    clone = make_work("clone", "clone", "-q", "--depth=1", f"file://{work.path}")
    return clone, old, blob, head


def test_a_blob_of_a_head_that_was_pushed_over_is_fetched(
    work: Work, make_work: Callable[..., Work]
) -> None:
    clone, old, blob, head = pushed_over(work, make_work)
    readers = ChangeFinder(Repository.open(clone.path, environ())).earlier_readers(head)
    assert readers.blob(blob, None) is None
    assert readers.blob(blob, old) == (ROWS + "first = 1\n").encode()
    assert readers.renamed_path(old, "a.py") == "b.py"
    assert readers.renamed_path(old, "other.py") is None
    assert clone.git("rev-parse", "--is-shallow-repository") == b"true\n"


def test_a_head_that_nobody_has_any_more_is_no_outage(
    work: Work, make_work: Callable[..., Work]
) -> None:
    clone, _, blob, head = pushed_over(work, make_work)
    gone = "d" * 40
    readers = ChangeFinder(Repository.open(clone.path, environ())).earlier_readers(head)
    assert readers.blob(blob, gone) is None
    assert readers.renamed_path(gone, "a.py") is None
    assert readers.blob("0" * 40, head) is None


def test_a_remote_that_is_gone_is_no_outage_either(
    work: Work, make_work: Callable[..., Work], tmp_path: Path
) -> None:
    clone, old, blob, head = pushed_over(work, make_work)
    clone.git("remote", "set-url", "origin", str(tmp_path / "nowhere"))
    readers = ChangeFinder(Repository.open(clone.path, environ())).earlier_readers(head)
    assert readers.blob(blob, old) is None
    assert readers.renamed_path(old, "a.py") is None


def test_the_head_is_read_by_path(work: Work) -> None:
    head = work.commit({"a.py": ROWS})
    read = ChangeFinder(Repository.open(work.path, environ())).file_reader(head)
    assert read("a.py") == ROWS.encode()
    assert read("b.py") is None


def test_edits_are_counted_from_zero() -> None:
    assert compute_edits(b"a\nb\nc\n", b"x\na\nc\nd\n") == [
        Edit(0, 0, 0, 1),
        Edit(1, 1, 2, 0),
        Edit(3, 0, 3, 1),
    ]
    assert compute_edits(b"", b"a\n") == [Edit(0, 0, 0, 1)]
    assert compute_edits(b"a\n\0\n", b"a\n") == [Edit(1, 1, 1, 0)]
    assert compute_edits(b"same\n", b"same\n") == []
