"""A pull request is compared with its base branch as it is now, whatever GitHub's API reports."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_batch.git.repository import Repository
from claude_batch.github_api.client import GitHubClient
from claude_batch.sandbox.http_messages import Fault, HttpRequest
from claude_batch.tasks.discovery import ChangeFinder, with_fresh_base
from github_faults import Script, error_body
from program import ONCE, SUSPICIOUS, Place, open_place, pull_event
from scratch import Work
from shop import Shop, environ, open_shop


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with open_place(tmp_path, config=ONCE) as place:
        yield place


def rev(shop: Shop, name: str) -> str:
    return shop.git("rev-parse", name).stdout.decode().strip()


def merge_main(shop: Shop) -> None:
    """Merge another person's work on main into the pull request's head."""
    shop.git("checkout", "-q", "main")
    shop.commit({"theirs.py": SUSPICIOUS, ".claude-batch.toml": f'{ONCE}exclude = ["added.py"]\n'})
    shop.git("push", "-q", "origin", "main")
    shop.git("checkout", "-q", "feature")
    shop.git("merge", "-q", "--no-edit", "main")
    shop.git("push", "-q", "origin", "feature")


def test_main_merged_into_the_head_is_neither_sent_nor_commented_on(place: Place) -> None:
    number = place.suspicious()
    stale = place.shop.ask("GET", f"/pulls/{number}").body["base"]["sha"]
    merge_main(place.shop)

    def stale_base(request: HttpRequest) -> Fault | None:
        if request.method != "GET" or not request.path.endswith(f"/pulls/{number}"):
            return None
        place.shop.hub.faults = lambda _: None
        pull = place.shop.ask("GET", f"/pulls/{number}").body
        place.shop.hub.faults = stale_base
        pull["base"]["sha"] = stale
        return Fault(200, body=pull, headers={"Content-Type": "application/json"})

    place.shop.hub.faults = stale_base
    place.json("submit", "--pr", str(number), "--wait")
    findings = place.json("findings")["items"]
    assert {finding["path"] for finding in findings} == {"run.py"}
    published = place.json("publish", "--pr", str(number))
    assert published["posted"]
    bodies = [str(call.body) for call in place.shop.hub.log if call.method == "POST"]
    assert any("run.py" in body for body in bodies)
    assert not any("theirs.py" in body for body in bodies)
    # The configuration is that of the tip as well: `added.py` is left out there.
    plan = place.json("estimate", "--pr", str(number))
    assert plan["tasks"]["planned"] == plan["tasks"]["known"] == 4


def test_the_configuration_of_ci_is_that_of_the_tip(place: Place) -> None:
    number = place.suspicious()
    shop = place.shop
    shop.git("checkout", "-q", "main")
    broken = shop.commit({".claude-batch.toml": "nonsense = 1\n"})
    shop.commit({".claude-batch.toml": ONCE})
    shop.git("push", "-q", "origin", "main")
    payload = pull_event("opened", number, base=broken)
    payload["pull_request"]["base"]["ref"] = "main"
    place.run("ci", environ=place.event("pull_request", payload))
    assert place.created() == 1


def shallow_clone(shop: Shop, folder: Path) -> tuple[Repository, GitHubClient]:
    url = f"file://{shop.bare}"
    subprocess.run(["git", "clone", "-q", "--depth=1", url, str(folder)], check=True)
    return Repository.open(folder, environ()), shop.forge()


@pytest.mark.parametrize("status", [404, 422, 500])
def test_a_refused_comparison_is_made_by_git(tmp_path: Path, status: int) -> None:
    with open_shop(tmp_path) as shop:
        number, head = shop.feature()
        base = rev(shop, "main")
        shop.git("checkout", "-q", "main")
        shop.commit({"theirs.py": "x = 1\n"})
        shop.git("push", "-q", "origin", "main")
        repository, github = shallow_clone(shop, tmp_path / "shallow")
        fault = Fault(status, body=error_body("this diff is taking too long to generate"))
        shop.hub.faults = Script().expect("GET", "/compare/", fault, times=9)
        pull = with_fresh_base(repository, github.get_pull_request(number))
        assert pull.base_sha == rev(shop, "main")
        comparison = ChangeFinder(repository).compare_pull(github, pull)
        assert (comparison.base, comparison.head) == (base, head)


def test_the_tip_of_a_branch_is_looked_up_once(work: Work, tmp_path: Path) -> None:
    old = work.commit({"a.py": "1\n"})
    work.git("branch", "release/main")
    work.git("clone", "-q", str(work.path), str(tmp_path / "clone"))
    new = work.commit({"a.py": "2\n"})
    repository = Repository.open(tmp_path / "clone", environ())
    assert repository.remote_tip("main") == new
    work.commit({"a.py": "3\n"})
    assert repository.remote_tip("main") == new
    assert repository.remote_tip("release/main") == old
    assert repository.remote_tip("nowhere") is None
