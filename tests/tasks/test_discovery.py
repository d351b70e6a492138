from datetime import UTC, datetime, timedelta

import pytest

from claude_batch.errors import BadUsage
from claude_batch.git.hook_queue import QueueEntry
from claude_batch.git.repository import Repository
from claude_batch.prompts.kinds import find_kind
from claude_batch.tasks.discovery import ChangeFinder
from claude_batch.tasks.sources import RangeSource, StagedSource
from scratch import Work
from shop import environ, open_shop

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KINDS = (find_kind("review"), find_kind("security"))


def open_finder(work: Work) -> ChangeFinder:
    return ChangeFinder(Repository.open(work.path, environ()))


def tree(work: Work) -> str:
    work.git("add", "-A")
    return work.git("write-tree").decode().strip()


def test_a_range_gives_the_tasks_of_each_kind(work: Work) -> None:
    work.commit({"a.py": "a = 1\n"})
    work.commit({"a.py": "a = 2\n", "b.py": "b = 1\n"})
    finder = open_finder(work)
    changes = finder.find_changes(finder.compare(RangeSource("HEAD~1")), [])
    assert [(task.kind, task.path) for task in changes.tasks(KINDS)] == [
        ("review", "a.py"),
        ("review", "b.py"),
        ("security", "a.py"),
        ("security", "b.py"),
    ]
    assert changes.diff.files == changes.files


def test_tasks_built_early_equal_those_built_later(work: Work) -> None:
    work.commit({"a.py": "a = 1\n", "poetry.lock": "a\n"})
    work.commit({"a.py": "a = 2\n", "b.py": "b = 1\n", "poetry.lock": "b\n"})
    finder = open_finder(work)
    comparison = finder.compare(RangeSource("HEAD~1"))
    later, ahead = (
        finder.find_changes(comparison, []),
        finder.find_changes(comparison, [], KINDS[:1]),
    )
    assert ahead == later
    assert ahead.tasks(KINDS) == later.tasks(KINDS)
    assert ahead.tasks(KINDS)[0] is ahead.tasks(KINDS)[0]
    assert {path for _, path in ahead.cached_tasks} == {"a.py", "b.py"}


def test_without_a_base_it_is_the_default_branch_of_the_remote(work: Work) -> None:
    work.commit({"a.py": "a = 1\n"})
    work.git("branch", "-m", "topic")
    with pytest.raises(BadUsage, match="default branch of 'origin' is not known"):
        open_finder(work).compare(RangeSource())
    work.git("update-ref", "refs/remotes/origin/main", "HEAD")
    work.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    work.git("remote", "add", "origin", "file:///nowhere")
    head = work.commit({"a.py": "a = 2\n"})
    assert open_finder(work).compare(RangeSource()).head == head


def test_staged_changes(work: Work) -> None:
    work.commit({"a.py": "a = 1\n"})
    work.write({"a.py": "a = 2\n", "b.py": "not staged\n"})
    work.git("add", "a.py")
    finder = open_finder(work)
    changes = finder.find_changes(finder.compare(StagedSource()), [])
    assert [change.path for change in changes.files] == ["a.py"]
    assert changes.comparison.label == "staged changes"


def test_excluded_and_generated_files_are_listed_as_skipped(work: Work) -> None:
    work.commit({"a.py": "a = 1\n", ".gitattributes": "gen/* linguist-generated\n"})
    work.commit({"a.py": "a = 2\n", "gen/b.py": "b\n", "docs/c.md": "c\n"})
    finder = open_finder(work)
    changes = finder.find_changes(finder.compare(RangeSource("HEAD~1")), ["docs/"])
    assert [change.path for change in changes.files] == ["a.py"]
    assert {out.path for out in changes.skipped} == {"gen/b.py", "docs/c.md"}


def test_whole_files_by_pattern(work: Work) -> None:
    work.commit({"a.py": "a = 1\n", "src/b.py": "b = 1\n", "c.md": "c\n"})
    changes = open_finder(work).find_files(["*.py"], ["src/"])
    assert [change.path for change in changes.files] == ["a.py"]
    assert [out.path for out in changes.skipped] == ["src/b.py"]
    assert changes.comparison.label == "files *.py"
    with pytest.raises(BadUsage, match="no file of HEAD matches"):
        open_finder(work).find_files(["*.rb"], [])


def test_notes_are_ready_waiting_or_dropped(work: Work) -> None:
    first = work.commit({"a.py": "a = 1\n"})
    work.write({"a.py": "a = 2\n"})
    committed = tree(work)
    work.commit()
    work.write({"a.py": "a = 3\n"})
    open_ = tree(work)
    notes = [
        QueueEntry(committed, first, NOON),
        QueueEntry(open_, first, NOON),
        QueueEntry(open_, first, NOON - timedelta(days=15)),
    ]
    trees = open_finder(work).sort_notes(notes, NOON + timedelta(minutes=5))
    assert (trees.ready, trees.waiting, trees.dropped) == ((notes[0],), (notes[1],), (notes[2],))


def test_queued_trees_are_read_each_against_its_own_head(work: Work) -> None:
    heads, trees = [], []
    for n in range(3):
        heads.append(work.commit({"a.py": f"a = {n}\n"}))
        work.write({"a.py": f"a = {n + 1}\n"})
        trees.append(tree(work))
    notes = [QueueEntry(tree, head, NOON) for tree, head in zip(trees, heads, strict=True)]
    changes = open_finder(work).find_queued([*notes, notes[0]], [])
    assert changes.comparison.label == "3 queued changes"
    assert len(changes.files) == 3
    assert len({task.id for task in changes.tasks(KINDS[:1])}) == 3


def test_an_empty_queue_has_no_tasks(work: Work) -> None:
    work.commit({"a.py": "a = 1\n"})
    changes = open_finder(work).find_queued([], [])
    assert (changes.files, changes.skipped, changes.tasks(KINDS)) == ((), (), ())


def test_a_pull_request_starts_where_it_left_its_base(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with open_shop(tmp_path_factory.mktemp("shop")) as shop:
        number, head = shop.feature()
        shop.git("checkout", "-q", "main")
        base = shop.git("rev-parse", "main").stdout.decode().strip()
        shop.commit({"elsewhere.py": "x = 1\n"})
        shop.git("push", "-q", "origin", "main")
        github = shop.forge()
        finder = ChangeFinder(Repository.open(shop.work, environ()))
        comparison = finder.compare_pull(github, github.get_pull_request(number))
        assert (comparison.base, comparison.head) == (base, head)
        assert comparison.label == f"pull request {number}"
        paths = {change.path for change in finder.find_changes(comparison, []).files}
        assert "elsewhere.py" not in paths
        assert "cart.py" in paths
