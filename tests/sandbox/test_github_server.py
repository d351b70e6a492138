"""The rest of the look-alike's API: pages, tokens, pull requests, checks, refs, files."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from claude_batch.sandbox.github_server.messages import ACTIONS_BOT, Account, GitHubErrorResponse
from claude_batch.sandbox.github_server.state import GitHubSettings
from github_faults import Script, expired_token
from shop import TOKEN, Shop, open_shop

TOKENS = {
    TOKEN: Account(ACTIONS_BOT),
    "mona": Account("mona"),
    "reader": Account("reader[bot]", frozenset()),
    "talker": Account("talker[bot]", frozenset({"issues"})),
}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    setup = GitHubSettings(
        tokens=TOKENS,
        collaborators={"mona": "write"},
    )
    with open_shop(tmp_path, setup) as made:
        yield made


class TestTokens:
    def test_none_and_a_wrong_one(self, shop: Shop) -> None:
        for token in ("", "wrong"):
            answer = shop.ask("GET", "", token=token)
            assert (answer.status, answer.body["message"]) == (401, "Bad credentials")

    def test_reading_is_not_writing(self, shop: Shop) -> None:
        shop.feature()
        assert shop.ask("GET", "/pulls/1", token="reader").status == 200
        for method, path in (
            ("POST", "/pulls/1/reviews"),
            ("POST", "/check-runs"),
            ("PATCH", "/pulls/1"),
        ):
            answer = shop.ask(method, path, {}, token="reader")
            assert answer.status == 403
            assert answer.body["message"] == "Resource not accessible by integration"

    def test_one_permission_of_many(self, shop: Shop) -> None:
        shop.feature()
        path = "/issues/1/comments"
        assert shop.ask("POST", path, {"body": "x"}, token="talker").status == 201
        assert shop.ask("POST", "/pulls/1/reviews", {"body": "x"}, token="talker").status == 403

    def test_only_people_have_a_user(self, shop: Shop) -> None:
        assert shop.ask("GET", "//user").status == 403
        assert shop.ask("GET", "//user", token="mona").body["login"] == "mona"

    def test_who_may_push(self, shop: Shop) -> None:
        words = {
            login: shop.ask("GET", f"/collaborators/{login}/permission").body["permission"]
            for login in ("acme", "mona", "stranger")
        }
        assert words == {"acme": "admin", "mona": "write", "stranger": "read"}

    def test_the_root_of_enterprise_servers(self, shop: Shop) -> None:
        assert shop.ask("GET", "//api/v3/rate_limit").body["rate"]["limit"] == 1000
        shop.hub.log.clear()  # the description has no /api/v3

    def test_any_token_without_a_list(self, tmp_path: Path) -> None:
        (tmp_path / "open").mkdir()
        with open_shop(tmp_path / "open") as shop:
            assert shop.ask("GET", "", token="whatever").status == 200
            assert shop.ask("GET", "", token="").status == 401

    def test_a_fault_is_used_up(self, shop: Shop) -> None:
        shop.hub.faults = Script().expect("GET", "/pulls$", expired_token(), times=2)
        assert [shop.ask("GET", "/pulls").status for _ in range(3)] == [401, 401, 200]


class TestPages:
    def test_links(self, shop: Shop) -> None:
        shop.feature()
        path = "/issues/1/comments"
        for n in range(65):
            shop.ask("POST", path, {"body": str(n)})
        first, last = shop.ask("GET", path), shop.ask("GET", f"{path}?page=3")
        assert [each["body"] for each in first.body] == [str(n) for n in range(30)]
        assert 'page=2>; rel="next"' in first.headers["Link"]
        assert 'page=3>; rel="last"' in first.headers["Link"]
        assert [each["body"] for each in last.body] == [str(n) for n in range(60, 65)]
        assert 'rel="next"' not in last.headers["Link"]
        assert 'page=2>; rel="prev"' in last.headers["Link"]
        assert len(shop.ask("GET", f"{path}?per_page=500").body) == 65
        assert "Link" not in shop.ask("GET", f"{path}?per_page=100").headers
        assert shop.ask("GET", f"{path}?page=9").body == []

    def test_a_page_is_100_at_most(self, shop: Shop) -> None:
        shop.feature()
        path = "/issues/1/comments"
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: shop.ask("POST", path, {"body": str(n)}), range(101)))
        page = shop.ask("GET", f"{path}?per_page=500").body
        rest = shop.ask("GET", f"{path}?per_page=500&page=2").body
        assert (len(page), len(rest)) == (100, 1)
        assert len({each["id"] for each in page + rest}) == 101


class TestPulls:
    def test_open_edit_close_and_open_again(self, shop: Shop) -> None:
        shop.feature()
        body = {"title": "Twin", "head": "feature", "base": "main"}
        twin = shop.ask("POST", "/pulls", body)
        assert (twin.status, twin.errors()) == (
            422,
            ["A pull request already exists for acme:feature."],
        )
        edited = shop.ask("PATCH", "/pulls/1", {"title": "New title", "state": "closed"})
        assert (edited.body["title"], edited.body["state"]) == ("New title", "closed")
        assert shop.ask("GET", "/pulls").body == []
        assert len(shop.ask("GET", "/pulls?state=closed").body) == 1
        assert shop.ask("PATCH", "/pulls/1", {"state": "open"}).body["state"] == "open"
        made = shop.ask("POST", "/pulls", body | {"base": "feature"})
        assert made.errors() == ["No commits between feature and feature"]
        assert shop.ask("POST", "/pulls", body | {"head": "none"}).status == 422
        assert shop.ask("POST", "/pulls", {"title": "x", "head": "feature"}).status == 422
        assert shop.ask("GET", "/pulls/9").status == 404

    def test_its_files(self, shop: Shop) -> None:
        shop.feature()
        files = {each["filename"]: each for each in shop.ask("GET", "/pulls/1/files").body}
        assert {name: each["status"] for name, each in files.items()} == {
            "added.py": "added",
            "cart.py": "modified",
            "gone.py": "removed",
            "logo.png": "added",
            "new_name.py": "renamed",
        }
        assert (files["cart.py"]["additions"], files["cart.py"]["deletions"]) == (3, 1)
        assert files["cart.py"]["patch"].startswith("@@ -7,7 +7,7 @@")
        assert files["new_name.py"]["previous_filename"] == "old_name.py"
        assert "patch" not in files["logo.png"]

    def test_the_head_follows_the_branch_until_it_is_closed(self, shop: Shop) -> None:
        _, first = shop.feature()
        second = shop.commit({"added.py": "a = 2\n"})
        shop.git("push", "-q", "origin", "feature")
        assert shop.ask("GET", "/pulls/1").body["head"]["sha"] == second
        assert [each["sha"] for each in shop.ask("GET", "/pulls/1/commits").body] == [first, second]
        shop.hub.close(1)
        shop.commit({"added.py": "a = 3\n"})
        shop.git("push", "-q", "origin", "feature")
        assert shop.ask("GET", "/pulls/1").body["head"]["sha"] == second

    def test_a_head_that_is_deleted_closes_it(self, shop: Shop) -> None:
        shop.feature()
        shop.git("push", "-q", "origin", ":feature")
        assert shop.ask("GET", "/pulls/1").body["state"] == "closed"

    def test_merged(self, shop: Shop) -> None:
        _, head = shop.feature()
        made = shop.hub.merge(1)
        pull = shop.ask("GET", "/pulls/1").body
        assert (pull["merged"], pull["state"], pull["merge_commit_sha"]) == (True, "closed", made)
        shop.git("fetch", "-q")
        assert shop.git("rev-parse", "origin/main^2").stdout.decode().strip() == head
        assert shop.ask("PATCH", "/pulls/1", {"state": "open"}).status == 422
        with pytest.raises(GitHubErrorResponse, match="not mergeable"):
            shop.hub.merge(1)


class TestChecks:
    def test_annotations_are_50_to_a_request_and_add_up(self, shop: Shop) -> None:
        _, head = shop.feature()
        note = {
            "path": "cart.py",
            "start_line": 10,
            "end_line": 10,
            "annotation_level": "notice",
            "message": "why?",
        }
        output = {"title": "t", "summary": "s", "annotations": [note] * 50}
        body = {"name": "batch", "head_sha": head, "conclusion": "neutral", "output": output}
        made = shop.ask("POST", "/check-runs", body)
        assert (made.status, made.body["status"]) == (201, "completed")
        more = {"output": output | {"annotations": [note] * 50}}
        path = f"/check-runs/{made.body['id']}"
        assert shop.ask("PATCH", path, more).body["output"]["annotations_count"] == 100
        assert len(shop.ask("GET", f"{path}/annotations?per_page=100").body) == 100
        assert shop.ask("PATCH", path, {"output": {"annotations": [note] * 51}}).status == 422
        assert shop.ask("PATCH", path, {"output": {"summary": "x" * 65_536}}).status == 422
        assert shop.ask("GET", path).body["output"]["summary"] == "s"

    def test_what_is_refused(self, shop: Shop) -> None:
        _, head = shop.feature()
        body = {"name": "batch", "head_sha": head}
        assert shop.ask("POST", "/check-runs", body | {"status": "completed"}).status == 422
        assert shop.ask("POST", "/check-runs", body | {"head_sha": "1" * 40}).status == 422
        assert shop.ask("POST", "/check-runs", body, token="mona").status == 403
        assert shop.ask("GET", "/check-runs/9").status == 404

    def test_the_latest_of_a_name(self, shop: Shop) -> None:
        _, head = shop.feature()
        ids = [
            shop.ask("POST", "/check-runs", {"name": name, "head_sha": head}).body["id"]
            for name in ("batch", "batch", "other")
        ]
        path = f"/commits/{head}/check-runs"
        found = shop.ask("GET", f"{path}?check_name=batch").body
        assert [each["id"] for each in found["check_runs"]] == [ids[1]]
        assert shop.ask("GET", f"{path}?filter=all").body["total_count"] == 3
        assert shop.ask("GET", "/commits/feature/check-runs").body["total_count"] == 2


class TestRepository:
    def test_commits_and_comparisons(self, shop: Shop) -> None:
        _, head = shop.feature()
        commit = shop.ask("GET", f"/commits/{head}").body
        assert (commit["commit"]["message"], len(commit["files"])) == ("change", 5)
        assert shop.ask("GET", "/commits/none").status == 422
        compared = shop.ask("GET", "/compare/main...feature").body
        assert (compared["status"], compared["ahead_by"], compared["behind_by"]) == ("ahead", 1, 0)
        assert compared["merge_base_commit"]["sha"] == commit["parents"][0]["sha"]
        assert shop.ask("GET", "/compare/feature...main").body["status"] == "behind"
        assert shop.ask("GET", "/compare/main...main").body["status"] == "identical"
        assert shop.ask("GET", "/compare/main...none").status == 404

    def test_what_is_not_there(self, shop: Shop) -> None:
        assert shop.ask("GET", "//repos/acme/shopping/pulls").status == 404
        assert shop.ask("GET", "//repos/other/shop").status == 404
        assert shop.ask("GET", "/nothing").status == 404
