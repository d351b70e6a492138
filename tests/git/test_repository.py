import os
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_batch.diff.model import SkippedFile
from claude_batch.errors import BadUsage, CannotRead
from claude_batch.git.repository import Repository
from scratch import Work


def opened(work: Work, **more: str) -> Repository:
    return Repository.open(work.path, {**os.environ, **more})


def rev(work: Work, name: str) -> str:
    return work.git("rev-parse", name).decode().strip()


def test_it_opens_from_any_folder_within(work: Work) -> None:
    work.commit({"src/deep/a.py": "a\n"})
    repository = Repository.open(work.path / "src" / "deep", os.environ)
    assert repository.root == work.path
    assert repository.git.directory == repository.common_dir == work.path / ".git"


def test_a_bare_repository_has_no_work_tree(work: Work, make_work: Callable[..., Work]) -> None:
    base, head = work.commit({"a.py": "a\n"}), work.commit({"a.py": "b\n"})
    bare = make_work("bare.git", "clone", "-q", "--bare", str(work.path))
    repository = opened(bare)
    assert repository.root is None
    assert len(repository.diff(repository.compare_range(base, head)).files) == 1


def test_no_repository_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(CannotRead, match="is not inside a git repository") as caught:
        Repository.open(tmp_path, os.environ)
    assert "git init" in caught.value.remedy


def test_no_git_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(CannotRead, match="git was not found"):
        Repository.open(tmp_path, {**os.environ, "PATH": str(tmp_path)})


FOREIGN = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}  # git's own switch to be tested with


def test_another_users_repository_names_the_remedy(work: Work) -> None:
    work.commit({"a.py": "a\n"})
    with pytest.raises(CannotRead, match="belongs to another user") as caught:
        opened(work, **FOREIGN)
    command = f"git config --global --add safe.directory {work.path}"
    assert command in caught.value.remedy
    work.git(*command.split()[1:])
    assert opened(work, **FOREIGN).blob("HEAD", "a.py") == b"a\n"


def test_a_safe_directory_may_come_by_environment(work: Work) -> None:
    work.commit({"a.py": "a\n"})
    safe = (("safe.directory", str(work.path)),)
    environ = {**os.environ, **FOREIGN, "GIT_CONFIG_COUNT": "1"}
    environ |= {"GIT_CONFIG_KEY_0": safe[0][0], "GIT_CONFIG_VALUE_0": safe[0][1]}
    assert Repository.open(work.path, environ).blob("HEAD", "a.py") == b"a\n"
    assert Repository.open(work.path, {**os.environ, **FOREIGN}, config=safe).root == work.path


def test_resolve(work: Work) -> None:
    first = work.commit({"a.py": "a\n"})
    second = work.commit({"a.py": "b\n"})
    work.git("tag", "-a", "v1", "-m", "v1", first)
    work.git("branch", "--", "odd{name")
    repository = opened(work)
    assert repository.resolve("HEAD") == repository.resolve("main") == second
    assert repository.resolve("v1") == repository.resolve("HEAD~1") == first
    assert repository.resolve(first[:10]) == first
    assert repository.resolve("odd{name") == second


@pytest.mark.parametrize("name", ["nope", "--all", "-h", "", "HEAD:a.py", "a b", "0" * 40])
def test_what_is_no_commit_is_named(work: Work, name: str) -> None:
    work.commit({"a.py": "a\n"})
    with pytest.raises(CannotRead) as caught:
        opened(work).resolve(name)
    assert caught.value.problem == f"`{name}` is not a commit in this repository"


def test_a_range_starts_at_the_merge_base(work: Work) -> None:
    base = work.commit({"a.py": "a\n"})
    work.git("checkout", "-q", "-b", "feature")
    head = work.commit({"b.py": "b\n"})
    work.git("checkout", "-q", "main")
    work.commit({"c.py": "c\n"})
    repository = opened(work)
    found = repository.compare_range("main", "feature")
    assert (found.base, found.head, found.label) == (base, head, "main..feature")
    assert (found.base_tree, found.head_tree) == (
        rev(work, f"{base}^{{tree}}"),
        rev(work, "feature^{tree}"),
    )
    assert [file.path for file in repository.diff(found).files] == ["b.py"]
    nothing = repository.diff(repository.compare_range("main", "main"))
    assert (nothing.files, nothing.skipped) == ((), ())


def test_a_merge_commit_as_head_shows_only_the_branch(work: Work) -> None:
    work.commit({"a.py": "a\n"})
    work.git("checkout", "-q", "-b", "feature")
    work.commit({"b.py": "b\n"})
    work.git("checkout", "-q", "main")
    work.commit({"c.py": "c\n"})
    work.git("checkout", "-q", "feature")
    work.git("merge", "-q", "--no-edit", "main")
    repository = opened(work)
    found = repository.diff(repository.compare_range("main", "feature"))
    assert [file.path for file in found.files] == ["b.py"]


def test_histories_without_a_common_commit(work: Work) -> None:
    work.commit({"a.py": "a\n"})
    work.git("checkout", "-q", "--orphan", "other")
    work.commit({"a.py": "b\n"})
    with pytest.raises(CannotRead, match="no commit in common"):
        opened(work).compare_range("main", "other")


def staged(repository: Repository, index_file: str | None = None) -> list[str]:
    return [file.path for file in repository.diff(repository.compare_staged(index_file)).files]


def test_staged_changes_are_those_of_the_index_alone(work: Work) -> None:
    head = work.commit({"a.py": "a\n", "b.py": "b\n"})
    work.write({"a.py": "staged\n", "b.py": "not staged\n", "new.py": "new\n"})
    work.git("add", "a.py")
    work.git("add", "-N", "new.py")
    index = work.path / ".git" / "index"
    before = index.read_bytes(), index.stat().st_mtime_ns
    repository = opened(work)
    found = repository.compare_staged()
    assert (found.base, found.head, found.label) == (head, None, "staged changes")
    assert staged(repository) == ["a.py"]
    assert (index.read_bytes(), index.stat().st_mtime_ns) == before


def test_staged_before_the_first_commit(work: Work) -> None:
    repository = opened(work)
    assert staged(repository) == []
    work.write({"a.py": "a\n"})
    work.git("add", "a.py")
    found = repository.compare_staged()
    assert found.base is None
    assert staged(repository) == ["a.py"]


def test_a_hooks_index_is_read_from_the_root_of_the_work_tree(work: Work) -> None:
    work.commit({"a.py": "a\n", "b.py": "b\n"})
    work.write({"a.py": "x\n", "b.py": "x\n"})
    work.git("add", "b.py")
    seen = work.path / "seen"
    hook = work.path / ".git" / "hooks" / "pre-commit"
    hook.write_text(f'#!/bin/sh\necho "$GIT_INDEX_FILE" >{seen}\ncp "$GIT_INDEX_FILE" kept\n')
    hook.chmod(0o755)
    work.git("commit", "-q", "-m", "only a", "a.py")
    assert seen.read_text().strip() != ".git/index"
    repository = opened(work, GIT_INDEX_FILE="no-such-index", GIT_DIR="no-such-dir")
    found = repository.compare_trees(rev(work, "HEAD~1"), "HEAD^{tree}", "noted")
    assert [file.path for file in repository.diff(found).files] == ["a.py"]
    assert staged(repository) == ["b.py"]
    # The hook's index held a.py and not b.py, so against the new HEAD nothing is left.
    assert staged(repository, "kept") == staged(repository, str(work.path / "kept")) == []


def test_conflicts_are_named(work: Work) -> None:
    work.commit({"a.py": "a\n"})
    work.git("checkout", "-q", "-b", "feature")
    work.commit({"a.py": "b\n"})
    work.git("checkout", "-q", "main")
    work.commit({"a.py": "c\n"})
    work.git("config", "alias.try", "!git merge -q feature || true")
    work.git("try")
    with pytest.raises(CannotRead, match=r"unresolved conflicts: a\.py$") as caught:
        opened(work).compare_staged()
    assert "resolve the conflicts" in caught.value.remedy


def test_a_noted_tree(work: Work) -> None:
    head = work.commit({"a.py": "a\n"})
    work.write({"a.py": "b\n"})
    work.git("add", "a.py")
    tree = work.git("write-tree").decode().strip()
    repository = opened(work)
    found = repository.compare_trees(head, tree, "note of 10:00")
    assert (found.base, found.head, found.head_tree) == (head, None, tree)
    assert [file.status for file in repository.diff(found).files] == ["modified"]
    unborn = repository.diff(repository.compare_trees(None, tree, "first note"))
    assert [file.status for file in unborn.files] == ["added"]
    with pytest.raises(CannotRead, match="no longer in this repository"):
        repository.compare_trees(head, "1" * 40, "lost note")


def test_whole_files(work: Work) -> None:
    work.write(
        {
            "src/a.py": "a\nb",
            "src/b.txt": "b\n",
            "src/deep/c.py": "c\n",
            "src/bin.py": b"\0",
            "src/big.py": "x" * (1 << 20) + "\n",
            "src/empty.py": "",
            "src/lfs.py": "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n",
            os.fsdecode(b"src/\xff.py"): "x\n",
            "other.py": "o\n",
        }
    )
    (work.path / "src" / "link.py").symlink_to("a.py")
    commit = work.commit()
    work.write({"src/a.py": "not committed\n"})
    files, left_out = opened(work).whole_files(commit, ["src/**/*.py"])
    assert [(file.path, file.status) for file in files] == [
        ("src/a.py", "named"),
        ("src/deep/c.py", "named"),
    ]
    blob = rev(work, "HEAD:src/a.py")
    assert files[0].old_blob == files[0].new_blob == blob
    assert [hunk.body for hunk in files[0].hunks] == [b" a\n b\n\\ No newline at end of file"]
    assert set(left_out) == {
        SkippedFile("src/bin.py", "binary"),
        SkippedFile("src/big.py", "larger than 1 MB"),
        SkippedFile("src/empty.py", "empty file"),
        SkippedFile("src/lfs.py", "Git LFS pointer"),
        SkippedFile("src/link.py", "symlink"),
        SkippedFile(r"src/\xff.py", "path is not UTF-8"),
    }
    files, _ = opened(work).whole_files("HEAD", ["*.py", "!src/**"])
    assert [file.path for file in files] == ["other.py"]
    assert opened(work).whole_files("HEAD", ["nothing/*.py"]) == ((), ())
    with pytest.raises(BadUsage, match=r'"\[z-a\]" is not a pattern'):
        opened(work).whole_files("HEAD", ["[z-a]"])


def test_blobs_by_path_and_by_id(work: Work) -> None:
    work.commit({"a.py": b"\xff\r\n", "dir/b\nc.py": "b\n", "-x": "x\n"})
    repository = opened(work)
    assert repository.blob("HEAD", "a.py") == b"\xff\r\n"
    assert repository.blob("main", "dir/b\nc.py") == b"b\n"
    assert repository.blob("HEAD", "-x") == b"x\n"
    assert repository.blob("HEAD", "dir") is None
    assert repository.blob("HEAD", "nope") is None
    ids = [rev(work, "HEAD:a.py"), rev(work, "HEAD:-x"), "1" * 40, rev(work, "HEAD:dir")]
    assert repository.read(ids) == {ids[0]: b"\xff\r\n", ids[1]: b"x\n"}
    assert repository.read([]) == {}


def test_attribute_files_are_those_of_the_commit(work: Work) -> None:
    first = work.commit({".gitattributes": "*.py -diff\n", "a/b/.gitattributes": "x y\n"})
    work.commit({".gitattributes": "changed\n", "a/x.gitattributes": "no\n"})
    repository = opened(work)
    expected = {".gitattributes": b"*.py -diff\n", "a/b/.gitattributes": b"x y\n"}
    assert repository.attribute_files(first) == expected
    assert repository.attribute_files(None) == {}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://github.com/o/r.git", "https://github.com/o/r.git"),
        ("https://user:p%40ss@github.com/o/r", "https://github.com/o/r"),
        ("https://x-access-token@github.com/o/r", "https://github.com/o/r"),
        ("git@github.com:o/r.git", "git@github.com:o/r.git"),
        ("ssh://git@github.com/o/r", "ssh://git@github.com/o/r"),
        ("gh:o/r", "https://github.com/o/r"),
    ],
)
def test_the_url_of_a_remote_has_no_credentials(work: Work, url: str, shown: str) -> None:
    work.git("config", "url.https://me:secret@github.com/.insteadOf", "gh:")
    work.git("remote", "add", "up", url)
    assert opened(work).remote_url("up") == shown
    assert opened(work).remote_url("origin") is None


def test_names_of_branches(work: Work, make_work: Callable[..., Work]) -> None:
    assert opened(work).default_branch("origin") is None
    assert opened(work).current_branch() == "main"
    work.commit({"a.py": "a\n"})
    assert opened(work).default_branch("origin") == "main"
    work.git("branch", "-q", "-m", "trunk")
    assert opened(work).default_branch("origin") is None
    clone = make_work("clone", "clone", "-q", str(work.path))
    assert opened(clone).default_branch("origin") == "origin/trunk"
    clone.git("update-ref", "refs/remotes/origin/master", "HEAD")
    assert opened(clone).default_branch("origin") == "origin/trunk"
    clone.git("remote", "set-head", "origin", "--delete")
    assert opened(clone).default_branch("origin") == "origin/master"
    clone.git("checkout", "-q", "--detach")
    assert opened(clone).current_branch() is None
    assert opened(clone).resolve("HEAD") == rev(work, "HEAD")


def test_trees_of_branches(work: Work) -> None:
    assert opened(work).branch_trees() == frozenset()
    work.commit({"a.py": "a\n"})
    trees = {rev(work, "HEAD^{tree}")}
    work.git("checkout", "-q", "--detach")
    work.commit({"a.py": "b\n"})
    trees.add(rev(work, "HEAD^{tree}"))
    work.git("config", "log.showSignature", "true")
    assert opened(work).branch_trees() == trees
    work.git("checkout", "-q", "main")
    assert opened(work).branch_trees() == {rev(work, "HEAD^{tree}")}
