"""Threads, reactions and permissions of the GitHub look-alike, over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from claude_batch.github_api.threads import RESOLVE, THREADS
from claude_batch.sandbox.github_server.messages import ACTIONS_BOT, Account, GitHubErrorResponse
from claude_batch.sandbox.github_server.state import GitHubSettings
from shop import TOKEN, Answer, Shop, open_shop

READER = Account("reader[bot]", frozenset({"pull_requests"}))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    setup = GitHubSettings(
        tokens={TOKEN: Account(ACTIONS_BOT), "ghs_reader": READER},
        collaborators={"mona": "maintain", "tess": "triage"},
    )
    with open_shop(tmp_path, setup) as made:
        yield made


def remark(shop: Shop, number: int, line: int = 10) -> int:
    comments = [{"path": "cart.py", "line": line, "side": "RIGHT", "body": f"about {line}"}]
    body = {"event": "COMMENT", "body": "", "comments": comments}
    assert shop.ask("POST", f"/pulls/{number}/reviews", body).status == 200
    return int(shop.ask("GET", f"/pulls/{number}/comments?per_page=100").body[-1]["id"])


def graphql(shop: Shop, document: str, token: str = TOKEN, /, **variables: Any) -> Any:
    body = {"query": document, "variables": variables}
    answer = shop.ask("POST", "//graphql", body, token)
    assert answer.status == 200
    return answer.body


def threads(shop: Shop, number: int, after: str | None = None) -> Any:
    found = graphql(shop, THREADS, owner="acme", name="shop", number=number, after=after)
    return found["data"]["repository"]["pullRequest"]["reviewThreads"]


def test_a_reaction_counts_once_for_each_person(shop: Shop) -> None:
    number, _ = shop.feature()
    first = remark(shop, number)
    for login, content in (("mona", "-1"), ("mona", "-1"), ("mona", "eyes"), ("tess", "+1")):
        shop.hub.react(first, login, content)
    given = shop.ask("GET", f"/pulls/comments/{first}/reactions").body
    assert [(each["user"]["login"], each["content"]) for each in given] == [
        ("mona", "-1"),
        ("mona", "eyes"),
        ("tess", "+1"),
    ]
    [one] = shop.ask("GET", f"/pulls/comments/{first}/reactions?content=%2B1").body
    assert one["user"]["login"] == "tess"
    rollup = shop.ask("GET", f"/pulls/comments/{first}").body["reactions"]
    assert (rollup["total_count"], rollup["+1"], rollup["-1"], rollup["heart"]) == (3, 1, 1, 0)


def test_what_is_not_there_takes_no_reaction(shop: Shop) -> None:
    number, _ = shop.feature()
    first = remark(shop, number)
    with pytest.raises(GitHubErrorResponse, match="Validation Failed"):
        shop.hub.react(first, "mona", "shrug")
    for call in (
        lambda: shop.hub.react(1, "mona", "+1"),
        lambda: shop.hub.reply(1, "mona", "text"),
        lambda: shop.hub.resolve(1, "mona"),
    ):
        with pytest.raises(GitHubErrorResponse, match="Not Found"):
            call()
    assert shop.ask("GET", "/pulls/comments/1/reactions").status == 404


def test_a_person_answers_and_resolves_a_thread(shop: Shop) -> None:
    number, _ = shop.feature()
    first, second = remark(shop, number), remark(shop, number, 11)
    reply = shop.hub.reply(first, "mona", "wontfix: on purpose")
    shop.hub.resolve(reply, "mona")
    said = {each.id: each for each in shop.hub.conversation(number)}
    assert (said[reply].login, said[reply].in_reply_to) == ("mona", first)
    assert [said[each].resolved_by for each in (first, reply, second)] == ["mona", None, None]
    page = threads(shop, number)
    assert page["pageInfo"] == {"hasNextPage": False, "endCursor": str(second)}
    assert [
        (each["isResolved"], each["resolvedBy"], each["comments"]["nodes"][0]["databaseId"])
        for each in page["nodes"]
    ] == [(True, {"login": "mona"}, first), (False, None, second)]


def test_resolving_is_a_mutation_and_twice_is_once(shop: Shop) -> None:
    number, _ = shop.feature()
    remark(shop, number)
    [thread] = threads(shop, number)["nodes"]
    for _ in range(2):
        done = graphql(shop, RESOLVE, thread=thread["id"])
        assert done == {"data": {"resolveReviewThread": {"thread": {"isResolved": True}}}}
    [after] = threads(shop, number)["nodes"]
    assert after["resolvedBy"] == {"login": "github-actions"}  # GraphQL has no [bot]


def test_cursors(shop: Shop) -> None:
    number, _ = shop.feature()
    made = [remark(shop, number, line) for line in (9, 10, 11)]
    document = THREADS.replace("first: 100", "first: 2")

    def page(after: str | None) -> Any:
        named = {"owner": "acme", "name": "shop", "number": number, "after": after}
        found = graphql(shop, document, **named)["data"]["repository"]["pullRequest"]
        shown = found["reviewThreads"]
        ids = [each["comments"]["nodes"][0]["databaseId"] for each in shown["nodes"]]
        return ids, shown["pageInfo"]["hasNextPage"], shown["pageInfo"]["endCursor"]

    assert page(None) == (made[:2], True, str(made[1]))
    assert page(str(made[1])) == (made[2:], False, str(made[2]))


@pytest.mark.parametrize(
    ("document", "token", "variables", "kind"),
    [
        ("query { viewer { login } }", TOKEN, {}, "undefinedField"),
        (THREADS, TOKEN, {"owner": "acme", "name": "shop", "number": 99}, "NOT_FOUND"),
        (THREADS, TOKEN, {"owner": "acme", "name": "other", "number": 1}, "NOT_FOUND"),
        (RESOLVE, TOKEN, {"thread": "none"}, "NOT_FOUND"),
        (RESOLVE, "ghs_reader", {"thread": "none"}, "FORBIDDEN"),
    ],
)
def test_graphql_refuses_with_200(
    shop: Shop, document: str, token: str, variables: dict[str, Any], kind: str
) -> None:
    shop.feature()
    answer = graphql(shop, document, token, **variables)
    assert answer["data"] is None
    assert [each["type"] for each in answer["errors"]] == [kind]


def test_an_enterprise_server_has_graphql_elsewhere(shop: Shop) -> None:
    body = {"query": "query { viewer { login } }"}
    assert shop.ask("POST", "//api/graphql", body).status == 200
    assert shop.ask("POST", "//graphql", body, token="").status == 401


def permission(answer: Answer) -> tuple[str, str]:
    return answer.body["permission"], answer.body["role_name"]


def test_permissions_are_the_old_four_words_and_roles_the_new_ones(shop: Shop) -> None:
    asked = {
        login: permission(shop.ask("GET", f"/collaborators/{login}/permission"))
        for login in ("acme", "mona", "tess", "stranger")
    }
    assert asked == {
        "acme": ("admin", "admin"),
        "mona": ("write", "maintain"),
        "tess": ("read", "triage"),
        "stranger": ("read", "read"),
    }
