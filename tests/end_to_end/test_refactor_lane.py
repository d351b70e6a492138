"""Refactorings of named paths: asked in one night, proposed in the next, never forced."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_batch.sandbox.github_server.state import GitHubSettings
from program import STATE, Place, open_place

OLD = """\
def stock(items, wanted):
    found = dict()
    for name in items:
        if not name in wanted:
            found[name] = items[name]
    return found


def total(items):
    rows = list()
    for name in items:
        rows.append(items[name])
    return sum(rows)
"""
NEW = OLD.replace("dict()", "{}").replace("not name in", "name not in").replace("list()", "[]")
ASK = ("submit", "--kind", "refactor", "--paths", "src/**")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with open_place(tmp_path) as made:
        (made.shop.work / "src").mkdir()
        made.shop.git("checkout", "-q", "main")
        made.shop.commit({"src/stock.py": OLD})
        made.shop.git("push", "-q", "origin", "main")
        yield made


def night(place: Place, setup: dict[str, str] | None = None) -> dict[str, str]:
    return place.event("schedule") | {"RUNNER_TEMP": str(place.shop.bare.parent)} | (setup or {})


def head_of(place: Place, branch: str) -> str:
    return place.ref(place.shop.bare, f"refs/heads/{branch}")


def file_at(place: Place, rev: str, path: str) -> str:
    done = subprocess.run(
        ["git", "show", f"{rev}:{path}"], cwd=place.shop.bare, capture_output=True
    )
    return done.stdout.decode()


def branches(place: Place) -> list[str]:
    listed = subprocess.run(
        ["git", "for-each-ref", "--format=%(refname:short)", "refs/heads/claude-batch"],
        cwd=place.shop.bare,
        capture_output=True,
    )
    return listed.stdout.decode().split()


def test_one_draft_pull_request_per_patch_set(place: Place) -> None:
    place.run(*ASK, environ=night(place))
    done = place.json("ci", environ=night(place))
    assert done["collect"]["findings"] == 3
    (row,) = done["publish"]["pull_requests"]
    assert row["posted"] == 1
    assert "draft pull request" in row["note"]

    (branch,) = branches(place)
    assert branch.startswith("claude-batch/refactor-")
    assert file_at(place, branch, "src/stock.py") == NEW
    assert file_at(place, branch, "cart.py") == file_at(place, "main", "cart.py")
    pull = place.shop.forge().get_pull_request(row["pull_request"])
    assert (pull.draft, pull.head_ref, pull.base_ref) == (True, branch, "main")
    assert "`src/stock.py`: An empty literal says the same" in pull.body

    again = place.json("ci", environ=night(place))
    assert "publish" not in again
    assert len(place.shop.forge().list_open_pull_requests()) == 1


def test_what_changed_meanwhile_is_reported_and_the_rest_goes_three_ways(place: Place) -> None:
    place.run(*ASK, environ=night(place))
    today = "import sys\n\n\n" + OLD.replace("    found = dict()", "    found = make(sys)")
    place.shop.commit({"src/stock.py": today})
    place.shop.git("push", "-q", "origin", "main")
    (row,) = place.json("ci", environ=night(place))["publish"]["pull_requests"]
    # One edit lost its line, another one stands so close to it that nobody knows any more.
    assert row["dropped"] == [{"reason": "changed_meanwhile", "count": 2}]
    (branch,) = branches(place)
    assert file_at(place, branch, "src/stock.py") == today.replace("list()", "[]")


def test_without_the_right_to_open_one_a_patch_is_kept(tmp_path: Path) -> None:
    refuse = GitHubSettings(refused_refs=("refs/heads/claude-batch/*",))
    with open_place(tmp_path, refuse) as place:
        (place.shop.work / "src").mkdir()
        place.shop.git("checkout", "-q", "main")
        place.shop.commit({"src/stock.py": OLD})
        place.shop.git("push", "-q", "origin", "main")
        place.run(*ASK, environ=night(place))
        (row,) = place.json("ci", environ=night(place))["publish"]["pull_requests"]
        assert row["posted"] == 0
        (patch,) = (tmp_path / "claude-batch-patches").glob("*.patch")
        assert str(patch) in row["note"]
        place.shop.git("apply", "--check", str(patch))
        place.shop.git("apply", str(patch))
        assert (place.shop.work / "src/stock.py").read_text() == NEW
        assert place.shop.forge().list_open_pull_requests() == []


def test_on_a_laptop_apply_puts_them_into_the_work_tree(place: Place) -> None:
    place.run(*ASK)
    place.run("collect", "--wait")
    patch = place.run("apply", "--patch").out
    checked = subprocess.run(
        ["git", "apply", "--check"], cwd=place.shop.work, input=patch.encode(), capture_output=True
    )
    assert checked.returncode == 0, checked.stderr.decode()
    assert (place.shop.work / "src/stock.py").read_text() == OLD
    assert "3 suggestions applied" in place.run("apply").out
    assert (place.shop.work / "src/stock.py").read_text() == NEW
    assert place.ref(place.shop.bare, STATE) == ""
