"""Clones that are not whole, and repositories of unusual make."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_batch.errors import CannotFetch, CannotRead
from claude_batch.git.repository import Repository
from scratch import Work

Make = Callable[..., Work]


def opened(work: Work) -> Repository:
    return Repository.open(work.path, os.environ)


def rev(work: Work, name: str) -> str:
    return work.git("rev-parse", name).decode().strip()


def untouched(work: Work) -> tuple[object, ...]:
    """What reading must not change: work tree, index, HEAD, refs, FETCH_HEAD, config."""
    git = Path(os.fsdecode(work.git("rev-parse", "--absolute-git-dir").strip()))
    files = [git / name for name in ("index", "HEAD", "FETCH_HEAD", "ORIG_HEAD", "config")]
    return (
        work.git("for-each-ref"),
        work.git("--no-optional-locks", "status", "--porcelain"),
        *(file.read_bytes() if file.exists() else None for file in files),
    )


def imported(at: int) -> str:
    """A commit that changes one file, for `git fast-import`."""
    start = "from refs/heads/main^0\n" if at == 0 else ""
    return f"""commit refs/heads/main
committer T <t@example.com> {1800000000 + at} +0000
data 4
next
{start}M 100644 inline c.py
data 2
{at % 10}

"""


class Forge:
    """A remote with a pull request: main and feature part at `fork`, 60 commits ago on main."""

    def __init__(self, work: Work) -> None:
        self.work = work
        work.commit({"a.py": "a\n", "c.py": "0\n"})
        self.fork = work.commit({"a.py": "b\n"})
        work.git("checkout", "-q", "-b", "feature")
        self.head = work.commit({"b.py": "b\n"})
        work.git("checkout", "-q", "main")
        work.git("fast-import", "--quiet", stdin="".join(map(imported, range(60))).encode())
        work.git("reset", "-q", "--hard")
        self.base = rev(work, "main")

    @property
    def url(self) -> str:
        return f"file://{self.work.path}"


@pytest.fixture
def forge(work: Work) -> Forge:
    return Forge(work)


def checkout(make_work: Make, forge: Forge, *options: str) -> Work:
    return make_work("clone", "clone", "-q", *options, forge.url)


def test_a_full_clone_fetches_only_what_is_missing(forge: Forge, make_work: Make) -> None:
    clone = checkout(make_work, forge, "--single-branch")
    before = untouched(clone)
    repository = opened(clone)
    found = repository.compare_commits(forge.base, forge.head, "pull request 7")
    assert (found.base, found.head, found.label) == (forge.fork, forge.head, "pull request 7")
    assert [file.path for file in repository.diff(found).files] == ["b.py"]
    assert not repository.git.is_shallow()
    assert untouched(clone) == before


def test_a_hint_spares_a_shallow_clone_the_history(forge: Forge, make_work: Make) -> None:
    clone = checkout(make_work, forge, "--depth=1")
    before = untouched(clone)
    repository = opened(clone)
    found = repository.compare_commits(forge.base, forge.head, "pull request 7", forge.fork)
    assert (found.base, found.head) == (forge.fork, forge.head)
    assert [file.path for file in repository.diff(found).files] == ["b.py"]
    assert repository.git.is_shallow()
    assert len(clone.git("rev-list", "HEAD").split()) == 1
    assert untouched(clone) == before


@pytest.mark.parametrize("hint", [None, "1" * 40])
def test_without_a_true_hint_a_shallow_clone_is_deepened(
    forge: Forge, make_work: Make, hint: str | None
) -> None:
    clone = checkout(make_work, forge, "--depth=1")
    before = untouched(clone)
    repository = opened(clone)
    found = repository.compare_commits(forge.base, forge.head, "pull request 7", hint)
    assert found.base == forge.fork
    assert [file.path for file in repository.diff(found).files] == ["b.py"]
    assert untouched(clone) == before


def test_a_range_deepens_a_shallow_clone_under_local_commits(forge: Forge, make_work: Make) -> None:
    clone = checkout(make_work, forge, "--depth=1", "--no-single-branch")
    clone.git("checkout", "-q", "feature")
    clone.commit({"d.py": "only here\n"})
    repository = opened(clone)
    found = repository.compare_range("origin/main", "HEAD")
    assert found.base == forge.fork
    assert [file.path for file in repository.diff(found).files] == ["b.py", "d.py"]


def test_a_shallow_clone_that_cannot_fetch_says_what_to_do(forge: Forge, make_work: Make) -> None:
    clone = checkout(make_work, forge, "--depth=1", "--no-single-branch")
    clone.git("remote", "set-url", "origin", f"{forge.url}-gone")
    with pytest.raises(CannotFetch, match="could not be fetched from `origin`") as caught:
        opened(clone).compare_range("origin/main", "origin/feature")
    assert "fetch-depth: 0" in caught.value.remedy
    with pytest.raises(CannotRead, match="`main~1` is not a commit") as unread:
        opened(clone).resolve("main~1")
    assert "fetch-depth: 0" in unread.value.remedy


def test_a_commit_that_the_remote_has_not(forge: Forge, make_work: Make) -> None:
    clone = checkout(make_work, forge)
    with pytest.raises(CannotFetch, match="could not be fetched"):
        opened(clone).compare_commits(forge.base, "1" * 40, "pull request 7")
    with pytest.raises(CannotRead, match="not a commit id"):
        opened(clone).compare_commits(forge.base, "+main:refs/heads/x", "pull request 7")


def test_another_remote_than_origin(forge: Forge, make_work: Make) -> None:
    clone = checkout(make_work, forge, "--single-branch")
    clone.git("remote", "rename", "origin", "upstream")
    repository = Repository.open(clone.path, os.environ, remote="upstream")
    assert repository.compare_commits(forge.base, forge.head, "x").base == forge.fork


@pytest.mark.parametrize("filtered", ["blob:none", "tree:0"])
def test_partial_clones(forge: Forge, make_work: Make, filtered: str) -> None:
    forge.work.git("config", "uploadpack.allowFilter", "true")
    forge.work.commit({".gitattributes": "*.py -diff\n", "src/d.py": "d\n", "src/e.py": "e\n"})
    clone = checkout(make_work, forge, "--no-checkout", f"--filter={filtered}")
    repository = opened(clone)
    found = repository.compare_commits(forge.fork, rev(forge.work, "main"), "pull request 7")
    assert [file.path for file in repository.diff(found).files] == [
        ".gitattributes",
        "c.py",
        "src/d.py",
        "src/e.py",
    ]
    assert repository.attribute_files("HEAD") == {".gitattributes": b"*.py -diff\n"}
    assert repository.blob(forge.head, "b.py") == b"b\n"
    files, _ = repository.whole_files("HEAD", ["src/"])
    assert [file.hunks[0].body for file in files] == [b" d", b" e"]


def test_whole_files_of_a_partial_clone_come_in_one_fetch(
    forge: Forge, make_work: Make, tmp_path: Path
) -> None:
    forge.work.git("config", "uploadpack.allowFilter", "true")
    forge.work.commit({f"src/{at}.py": f"{at}\n" for at in range(20)})
    clone = checkout(make_work, forge, "--no-checkout", "--filter=blob:none")
    trace = tmp_path / "trace"
    repository = Repository.open(clone.path, {**os.environ, "GIT_TRACE": str(trace)})
    files, _ = repository.whole_files("HEAD", ["src/"])
    assert len(files) == 20
    assert trace.read_text().count("built-in: git fetch ") == 1


def test_sparse_checkout_with_a_sparse_index(forge: Forge, make_work: Make) -> None:
    forge.work.commit({"in/a.py": "a\n", "out/b.py": "b\n"})
    clone = checkout(make_work, forge)
    clone.git("sparse-checkout", "set", "--cone", "--sparse-index", "in")
    clone.write({"in/a.py": "staged\n"})
    clone.git("add", "in/a.py")
    repository = opened(clone)
    found = repository.diff(repository.compare_staged())
    assert [file.path for file in found.files] == ["in/a.py"]
    assert repository.blob("HEAD", "out/b.py") == b"b\n"


def test_split_index(work: Work) -> None:
    work.commit({f"{at}.py": "a\n" for at in range(9)})
    work.git("update-index", "--split-index")
    work.write({"a.py": "b\n"})
    work.git("add", "a.py")
    before = sorted(path.name for path in (work.path / ".git").iterdir())
    repository = opened(work)
    found = repository.diff(repository.compare_staged())
    assert [file.path for file in found.files] == ["a.py"]
    assert sorted(path.name for path in (work.path / ".git").iterdir()) == before


def test_linked_worktrees_have_their_own_index_and_head(work: Work, tmp_path: Path) -> None:
    work.commit({"a.py": "a\n", ".gitattributes": "*.py -diff\n"})
    work.git("worktree", "add", "-q", "-b", "linked", str(tmp_path / "linked"))
    linked = Work(tmp_path / "linked")
    linked.write({"a.py": "b\n"})
    linked.git("add", "a.py")
    repository = opened(linked)
    assert (repository.root, repository.common_dir) == (linked.path, work.path / ".git")
    assert repository.current_branch() == "linked"
    found = repository.diff(repository.compare_staged())
    assert [file.path for file in found.files] == ["a.py"]
    assert opened(work).diff(opened(work).compare_staged()).files == ()


def test_a_sha256_repository_is_read_by_git_alone(make_work: Make) -> None:
    work = make_work("sha256", "init", "-q", "--object-format=sha256")
    work.write({"a.py": "a\n"})
    work.git("add", "a.py")
    repository = opened(work)
    first = repository.diff(repository.compare_staged())
    assert [(file.path, len(file.new_blob)) for file in first.files] == [("a.py", 64)]
    base = work.commit({".gitattributes": "*.c -diff\n", "b.bin": b"\0" * (1 << 21)})
    head = work.commit({"a.py": "b\n", "b.bin": b"\0" * (1 << 22)})
    repository = opened(work)
    found = repository.diff(repository.compare_commits(base, head, "pull request 7"))
    assert [file.path for file in found.files] == ["a.py"]
    assert [row.reason for row in found.skipped] == ["larger than 1 MB"]
    (change,) = found.files
    ids = [change.old_blob, change.new_blob, "1" * 64]
    assert repository.read(ids) == {ids[0]: b"a\n", ids[1]: b"b\n"}
    assert repository.blob("HEAD", "a.py") == b"b\n"
    assert repository.attribute_files("HEAD") == {".gitattributes": b"*.c -diff\n"}
    files, _ = repository.whole_files("HEAD", ["*.py"])
    assert [file.path for file in files] == ["a.py"]
    assert rev(work, "HEAD^{tree}") in repository.branch_trees()


def test_replaced_objects_are_ignored(work: Work) -> None:
    base = work.commit({"a.py": "a\n"})
    head = work.commit({"a.py": "b\n"})
    work.git("replace", rev(work, f"{head}:a.py"), rev(work, f"{base}:a.py"))
    repository = opened(work)
    found = repository.diff(repository.compare_range(base, head))
    assert [hunk.body for hunk in found.files[0].hunks] == [b"-a\n+b"]
    assert repository.blob(head, "a.py") == b"b\n"
