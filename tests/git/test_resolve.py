import os

import pytest

from claude_batch.git.process import Git
from claude_batch.git.refs import resolve_remote


@pytest.fixture
def git(tmp_path):
    return Git(os.environ, tmp_path, is_git_dir=False)


def test_a_tag_an_annotated_tag_and_a_branch_are_commits(work, git):
    first = work.commit({"a.py": "1\n"})
    work.git("tag", "v1")
    work.git("tag", "-a", "-m", "two", "v2")
    second = work.commit({"a.py": "2\n"})
    url = str(work.path)
    assert resolve_remote(git, url, "v1") == first
    assert resolve_remote(git, url, "v2") == first
    assert resolve_remote(git, url, "main") == second


def test_no_such_ref_and_no_such_repository_are_none(work, git, tmp_path):
    work.commit()
    assert resolve_remote(git, str(work.path), "v9") is None
    assert resolve_remote(git, str(tmp_path / "nowhere"), "v1") is None
