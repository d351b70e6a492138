"""The GitHub edge against the look-alike: every call, and every way in which GitHub says no."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_batch.diff.model import Side
from claude_batch.errors import CannotPublish, ReviewRefused, ThreadsRefused
from claude_batch.github_api.client import GitHubClient
from claude_batch.github_api.models import DraftCheck, DraftComment, Reaction, RemoteComment
from claude_batch.github_api.retry import LONGEST_WAIT, TRIES_AFTER_THE_FIRST
from claude_batch.github_api.traffic import MAX_REPEATS, MAX_REQUESTS
from claude_batch.sandbox.github_server.messages import ACTIONS_BOT, Account
from claude_batch.sandbox.github_server.state import GitHubSettings
from claude_batch.sandbox.http_messages import Fault, HttpRequest, no_fault
from github_faults import (
    Script,
    bad_gateway,
    error_body,
    expired_token,
    primary_limit,
    secondary_limit,
)
from shop import TOKEN, Shop, open_shop

REVIEWER = Account("mona")
READER = Account("reader[bot]", frozenset())


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    tokens = {TOKEN: Account(ACTIONS_BOT), "ghp_mona": REVIEWER, "ghs_reader": READER}
    with open_shop(tmp_path, GitHubSettings(tokens=tokens)) as made:
        yield made


def at(line: int, first: int | None = None, side: Side = Side.RIGHT) -> DraftComment:
    return DraftComment("cart.py", side, first or line, line, f"about {line}")


LONG = int(LONGEST_WAIT) + 1
# The refusals that say nothing about the rights of a person or of a token.
NO_ANSWERS = [
    (expired_token(), "Bad credentials"),
    (secondary_limit(LONG), "rate limit is used up"),
    (secondary_limit(LONG, 429), "rate limit is used up"),
    (primary_limit(), "rate limit is used up"),
    (primary_limit(429), "rate limit is used up"),
    (bad_gateway(after=False), "could not be reached"),
]


def posts(shop: Shop, end: str) -> int:
    return sum(each.method == "POST" and each.path.endswith(end) for each in shop.hub.log)


class TestReading:
    def test_a_pull_request(self, shop: Shop) -> None:
        number, head = shop.feature()
        pull = shop.forge().get_pull_request(number)
        assert (pull.number, pull.state, pull.merged, pull.draft) == (1, "open", False, False)
        assert (pull.head_sha, pull.head_ref, pull.base_ref) == (head, "feature", "main")
        assert pull.base_sha == shop.git("rev-parse", "origin/main").stdout.decode().strip()
        assert pull.title == "Change the cart"

    def test_a_draft_from_a_fork(self, shop: Shop) -> None:
        shop.feature()
        shop.git("push", "-q", str(shop.bare), "feature:refs/forks/mona/heads/topic")
        number = shop.hub.open_pull("Bump", "mona:topic", author="renovate[bot]", draft=True)
        pull = shop.forge().get_pull_request(number)
        assert (pull.head_ref, pull.draft) == ("topic", True)

    def test_a_merged_one_and_a_closed_one(self, shop: Shop) -> None:
        number, _ = shop.feature()
        shop.hub.merge(number)
        pull = shop.forge().get_pull_request(number)
        assert (pull.state, pull.merged) == ("closed", True)

    def test_open_ones_take_one_request(self, shop: Shop) -> None:
        number, _ = shop.feature()
        shop.git("push", "-q", "origin", "feature:other")
        other = shop.hub.open_pull("Other", "other")
        before = len(shop.hub.log)
        assert [pull.number for pull in shop.forge().list_open_pull_requests()] == [other, number]
        assert len(shop.hub.log) == before + 1
        assert [pull.number for pull in shop.forge().list_pull_requests_of_branch("other")] == [
            other
        ]
        assert shop.forge().list_pull_requests_of_branch("none") == []

    def test_requests_are_counted_and_the_rest_of_the_hour_is_known(self, shop: Shop) -> None:
        number, _ = shop.feature()
        forge = shop.forge()
        assert (forge.requests_made, forge.remaining) == (0, None)
        forge.get_pull_request(number)
        shop.hub.faults = Script().expect("GET", "/comments$", bad_gateway(after=False), times=2)
        forge.list_comments(number)
        forge.post_comment(number, "one")
        forge.list_threads(number)
        assert forge.requests_made == len(shop.hub.log) == 6
        told = Fault(200, body=[], headers={"X-RateLimit-Remaining": "417"})
        graphql = {"X-RateLimit-Remaining": "4999", "X-RateLimit-Resource": "graphql"}
        shop.hub.faults = (
            Script()
            .expect("GET", "/pulls$", told)
            .expect("GET", "/comments$", Fault(200, body=[], headers=graphql))
        )
        forge.list_open_pull_requests()
        forge.list_comments(number)
        assert forge.remaining == 417

    def test_the_merge_base(self, shop: Shop) -> None:
        _, head = shop.feature()
        base = shop.git("rev-parse", "origin/main").stdout.decode().strip()
        shop.git("checkout", "-q", "--detach", "origin/main")
        ahead = shop.commit({"more.py": "x = 1\n"})
        shop.git("push", "-q", "origin", "HEAD:main")
        assert shop.forge().find_merge_base(ahead, head) == base
        assert shop.forge().find_merge_base("main", "feature") == base

    def test_no_merge_base(self, shop: Shop) -> None:
        _, head = shop.feature()
        shop.git("checkout", "-q", "--orphan", "island")
        shop.commit({"lone.py": "x = 1\n"})
        shop.git("push", "-q", "origin", "island")
        assert shop.forge().find_merge_base("island", head) is None
        assert shop.forge().find_merge_base("1" * 40, head) is None

    def test_who_writes(self, shop: Shop) -> None:
        assert shop.forge().get_login() == ACTIONS_BOT
        assert shop.forge("ghp_mona").get_login() == "mona"
        assert shop.forge().has_push_access() is True
        assert shop.forge("ghs_reader").has_push_access() is False

    @pytest.mark.parametrize(("fault", "problem"), NO_ANSWERS)
    def test_a_refusal_does_not_make_the_token_that_of_a_workflow(
        self, shop: Shop, fault: Fault, problem: str
    ) -> None:
        forge = shop.forge("ghp_mona")
        shop.hub.faults = Script().expect("GET", "/user$", fault, times=9)
        with pytest.raises(CannotPublish, match=problem):
            forge.get_login()
        shop.hub.faults = no_fault
        assert forge.get_login() == "mona"

    def test_requests_name_the_version_and_never_log_the_token(self, shop: Shop) -> None:
        shop.forge().list_open_pull_requests()
        assert shop.hub.log[-1].headers["x-github-api-version"] == "2022-11-28"
        assert TOKEN not in repr(shop.hub.log[-1])

    def test_all_pages_of_comments(self, shop: Shop) -> None:
        number, _ = shop.feature()
        for n in range(230):
            shop.ask("POST", f"/issues/{number}/comments", {"body": f"comment {n}"})
        before = len(shop.hub.log)
        found = shop.forge().list_comments(number)
        assert [each.body for each in found] == [f"comment {n}" for n in range(230)]
        assert len(shop.hub.log) == before + 3


class TestPosting:
    def test_a_review_is_one_post(self, shop: Shop) -> None:
        number, head = shop.feature()
        drafts = [at(10), at(53, 51), at(10, side=Side.LEFT)]
        stands = shop.forge().post_review(number, head, "three things", drafts)
        assert [(each.line, each.side, each.body) for each in stands] == [
            (10, Side.RIGHT, "about 10"),
            (53, Side.RIGHT, "about 53"),
            (10, Side.LEFT, "about 10"),
        ]
        assert {each.login for each in stands} == {ACTIONS_BOT}
        assert posts(shop, "/reviews") == 1
        sent = next(each.body for each in shop.hub.log if each.path.endswith("/reviews"))
        assert "start_line" not in sent["comments"][0]
        assert sent["comments"][1]["start_line"] == 51
        assert shop.forge().list_review_comments(number) == stands

    def test_a_later_review_returns_its_own_comments(self, shop: Shop) -> None:
        number, head = shop.feature()
        shop.forge().post_review(number, head, "", [at(10)])
        [second] = shop.forge().post_review(number, head, "", [at(11)])
        assert second.line == 11

    def test_an_outdated_comment_has_no_line(self, shop: Shop) -> None:
        number, head = shop.feature()
        shop.forge().post_review(number, head, "", [at(10), at(52)])
        text = (shop.work / "cart.py").read_text()
        shop.commit({"cart.py": "first = 0\n" + text.replace("'ten'", "'zehn'")})
        shop.git("push", "-q", "origin", "feature")
        assert [each.line for each in shop.forge().list_review_comments(number)] == [None, 53]

    def test_comments_and_edits(self, shop: Shop) -> None:
        number, head = shop.feature()
        forge = shop.forge()
        made = forge.post_comment(number, "receipt")
        assert made == RemoteComment(made.id, ACTIONS_BOT, "receipt")
        forge.edit_comment(made.id, "receipt, 2")
        [remark] = forge.post_review(number, head, "", [at(10)])
        forge.edit_review_comment(remark.id, "better")
        assert [each.body for each in forge.list_comments(number)] == ["receipt, 2"]
        assert [each.body for each in forge.list_review_comments(number)] == ["better"]

    def test_a_pause_between_writes(self, shop: Shop) -> None:
        number, _ = shop.feature()
        forge = shop.forge()
        for n in range(3):
            forge.post_comment(number, str(n))
        assert shop.slept == [1.0, 1.0]

    def test_a_check_run_is_made_once(self, shop: Shop) -> None:
        _, head = shop.feature()
        forge = shop.forge()
        first = forge.write_check_run(
            DraftCheck("claude-batch", head, "neutral", "2 tasks", "wait")
        )
        again = forge.write_check_run(DraftCheck("claude-batch", head, "success", "done", "$0.02"))
        assert again == first
        run = shop.ask("GET", f"/check-runs/{first}").body
        assert (run["conclusion"], run["output"]["title"]) == ("success", "done")


class TestRefusals:
    def test_no_token(self, shop: Shop) -> None:
        forge = GitHubClient({"GITHUB_API_URL": shop.hub.url}, shop.hub.repository, sleep=print)
        with pytest.raises(CannotPublish, match="neither GITHUB_TOKEN nor GH_TOKEN") as caught:
            forge.list_open_pull_requests()
        assert "github.token" in caught.value.remedy

    def test_the_other_token(self, shop: Shop) -> None:
        assert shop.forge("", GH_TOKEN="ghp_mona").get_login() == "mona"

    def test_a_wrong_token(self, shop: Shop) -> None:
        with pytest.raises(CannotPublish, match="Bad credentials") as caught:
            shop.forge("ghp_wrong").get_login()
        assert "expired" in caught.value.remedy

    def test_a_token_that_expires_on_the_way(self, shop: Shop) -> None:
        number, _ = shop.feature()
        shop.hub.faults = Script().expect("POST", "/comments$", expired_token())
        with pytest.raises(CannotPublish, match="cannot comment on 1: Bad credentials"):
            shop.forge().post_comment(number, "x")

    def test_a_token_that_may_only_read(self, shop: Shop) -> None:
        number, head = shop.feature()
        with pytest.raises(CannotPublish, match="not accessible by integration") as caught:
            shop.forge("ghs_reader").post_review(number, head, "hello", [at(10)])
        assert "`pull-requests: write`" in caught.value.remedy
        with pytest.raises(CannotPublish) as caught:
            shop.forge("ghs_reader").write_check_run(DraftCheck("x", head, "neutral", "t", "s"))
        assert "`checks: write`" in caught.value.remedy

    def test_no_such_pull_request(self, shop: Shop) -> None:
        with pytest.raises(CannotPublish, match="cannot read pull request 7: Not Found") as caught:
            shop.forge().get_pull_request(7)
        assert "may see it" in caught.value.remedy

    def test_a_comment_outside_the_diff_refuses_the_review(self, shop: Shop) -> None:
        number, head = shop.feature()
        with pytest.raises(ReviewRefused, match="line must be part of the diff"):
            shop.forge().post_review(number, head, "", [at(10), at(30)])
        assert shop.forge().list_review_comments(number) == []

    def test_a_head_that_is_gone_is_no_comments_fault(self, shop: Shop) -> None:
        number, _ = shop.feature()
        base = shop.git("rev-parse", "origin/main").stdout.decode().strip()
        with pytest.raises(CannotPublish, match="commit_id is not part") as caught:
            shop.forge().post_review(number, base, "", [at(10)])
        assert not isinstance(caught.value, ReviewRefused)
        assert "moved on" in caught.value.remedy

    def test_too_many_comments(self, shop: Shop) -> None:
        number, head = shop.feature()
        with pytest.raises(CannotPublish, match="rate limit"):
            shop.forge().post_review(number, head, "", [at(10)] * 33)

    def test_a_read_is_repeated(self, shop: Shop) -> None:
        number, _ = shop.feature()
        shop.hub.faults = Script().expect("GET", "/pulls/1$", bad_gateway(after=False), times=2)
        assert shop.forge().get_pull_request(number).number == number
        assert len(shop.slept) == 2

    def test_a_read_is_not_repeated_for_ever(self, shop: Shop) -> None:
        shop.hub.faults = Script().expect("GET", "/pulls$", bad_gateway(after=False), times=9)
        with pytest.raises(CannotPublish, match="could not be reached or broke off"):
            shop.forge().list_open_pull_requests()

    @pytest.mark.parametrize("after", [False, True])
    def test_a_post_is_never_repeated(self, shop: Shop, after: bool) -> None:
        number, head = shop.feature()
        trouble = bad_gateway(after=after)
        shop.hub.faults = Script().expect("POST", "/reviews$", trouble, times=3)
        with pytest.raises(CannotPublish, match="502, so it may or may not have been done"):
            shop.forge().post_review(number, head, "once", [at(10)])
        assert posts(shop, "/reviews") == 1
        assert len(shop.forge().list_review_comments(number)) == after

    @pytest.mark.parametrize("status", [403, 429])
    def test_a_limit_on_writing_is_not_waited_for(self, shop: Shop, status: int) -> None:
        number, _ = shop.feature()
        limit = secondary_limit(7, status)
        shop.hub.faults = Script().expect("POST", "/comments$", limit, times=3)
        with pytest.raises(CannotPublish, match="rate limit is used up") as caught:
            shop.forge().post_comment(number, "x")
        assert caught.value.remedy.startswith("wait 7 seconds")
        assert posts(shop, "/comments") == 1

    def test_a_time_to_wait_makes_a_refusal_a_limit_in_any_words(self, shop: Shop) -> None:
        number, _ = shop.feature()
        limit = Fault(403, body=error_body("Slow down."), headers={"Retry-After": "7"})
        shop.hub.faults = Script().expect("POST", "/comments$", limit)
        with pytest.raises(CannotPublish, match="rate limit is used up") as caught:
            shop.forge().post_comment(number, "x")
        assert caught.value.remedy.startswith("wait 7 seconds")

    @pytest.mark.parametrize("status", [403, 429])
    def test_a_limit_on_reading_is_waited_for(self, shop: Shop, status: int) -> None:
        number, _ = shop.feature()
        shop.hub.faults = Script().expect("GET", "/pulls/1$", secondary_limit(7, status))
        assert shop.forge().get_pull_request(number).number == number
        assert shop.slept == [7]

    def test_a_limit_without_a_time_is_waited_for(self, shop: Shop) -> None:
        number, _ = shop.feature()
        shop.hub.faults = Script().expect("GET", "/pulls/1$", secondary_limit(None))
        assert shop.forge().get_pull_request(number).number == number
        assert shop.slept == [60]

    def test_a_long_limit_is_left_to_the_next_run(self, shop: Shop) -> None:
        long = secondary_limit(int(LONGEST_WAIT) + 1)
        shop.hub.faults = Script().expect("GET", "/pulls/1$", long, times=2)
        with pytest.raises(CannotPublish, match="rate limit is used up") as caught:
            shop.forge().get_pull_request(1)
        assert "wait 121 seconds" in caught.value.remedy
        assert shop.slept == []

    def test_a_read_that_stalls_ends(self, shop: Shop) -> None:
        environ = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": shop.hub.url}
        shop.hub.faults = Script().expect("GET", "/pulls$", Fault(hang=True), times=9)
        with (
            GitHubClient(environ, shop.hub.repository, sleep=shop.slept.append, timeout=1) as forge,
            pytest.raises(CannotPublish, match="could not be reached or broke off"),
        ):
            forge.list_open_pull_requests()
        assert forge.requests_made == 1 + TRIES_AFTER_THE_FIRST
        shop.hub.log.clear()

    def test_a_next_page_that_is_always_the_same_ends(self, shop: Shop) -> None:
        url = f"{shop.hub.url}/repos/{shop.hub.repository}/pulls"
        pages = {"Link": f'<{url}?state=open&page=2>; rel="next"'}
        shop.hub.faults = lambda _: Fault(200, body=[{"id": 1}], headers=pages)
        forge = shop.forge()
        with pytest.raises(CannotPublish, match="does not answer as GitHub does"):
            forge.list_open_pull_requests()
        assert forge.requests_made == 1 + MAX_REPEATS + 1  # the last one was not sent
        shop.hub.log.clear()

    def test_pages_without_end_end(self, shop: Shop) -> None:
        url = f"{shop.hub.url}/repos/{shop.hub.repository}/pulls"

        def next_page(request: HttpRequest) -> Fault:
            page = int(request.parameters.get("page", "1")) + 1
            links = {"Link": f'<{url}?page={page}>; rel="next"'}
            return Fault(200, body=[{"id": 1}], headers=links)

        shop.hub.faults = next_page
        forge = shop.forge()
        with pytest.raises(CannotPublish, match="does not answer as GitHub does"):
            forge.list_open_pull_requests()
        assert forge.requests_made == MAX_REQUESTS + 1
        shop.hub.log.clear()

    def test_a_server_that_is_not_there(self) -> None:
        environ = {"GITHUB_TOKEN": "x", "GITHUB_API_URL": "http://127.0.0.1:9"}
        with (
            GitHubClient(environ, "acme/shop", sleep=lambda _: None) as forge,
            pytest.raises(CannotPublish, match="may or may not") as caught,
        ):
            forge.post_comment(1, "x")
        assert "GITHUB_API_URL" in caught.value.remedy

    def test_a_server_that_is_not_github(self, shop: Shop) -> None:
        strange = Fault(200, body={"hello": "world"})
        shop.hub.faults = lambda _: strange
        forge = shop.forge()
        for call in (
            lambda: forge.get_pull_request(1),
            forge.list_open_pull_requests,
            lambda: forge.list_comments(1),
        ):
            with pytest.raises(CannotPublish, match="does not answer as GitHub does"):
                call()
        shop.hub.log.clear()  # the referee would rightly object


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Shop]:
    tokens = {TOKEN: Account(ACTIONS_BOT), "ghs_reader": READER}
    collaborators = {"mona": "maintain", "tess": "triage"}
    with open_shop(tmp_path, GitHubSettings(tokens=tokens, collaborators=collaborators)) as made:
        yield made


class TestThreads:
    def test_who_reacted_and_who_may_write(self, talk: Shop) -> None:
        number, head = talk.feature()
        first, second = talk.forge().post_review(number, head, "", [at(10), at(11)])
        talk.hub.react(first.id, "mona", "-1")
        talk.hub.react(second.id, "tess", "eyes")
        forge = talk.forge()
        assert [each.has_thumbs for each in forge.list_review_comments(number)] == [True, False]
        assert forge.list_reactions(first.id) == [Reaction(first.id, "mona", "-1")]
        assert [
            forge.has_write_access(each) for each in ("mona", "tess", "acme", "mona", "x[bot]")
        ] == [
            True,
            False,
            True,
            True,
            False,
        ]
        asked = [each.path for each in talk.hub.log if each.path.endswith("/permission")]
        assert len(asked) == 4

    @pytest.mark.parametrize(("fault", "problem"), NO_ANSWERS)
    def test_a_refusal_does_not_mean_that_a_person_may_not_write(
        self, talk: Shop, fault: Fault, problem: str
    ) -> None:
        forge = talk.forge()
        talk.hub.faults = Script().expect("GET", "/permission$", fault, times=9)
        with pytest.raises(CannotPublish, match=problem):
            forge.has_write_access("mona")
        talk.hub.faults = no_fault
        assert forge.has_write_access("mona")

    def test_threads_and_resolving_one(self, talk: Shop) -> None:
        number, head = talk.feature()
        first, second = talk.forge().post_review(number, head, "", [at(10), at(11)])
        talk.hub.resolve(second.id, "mona")
        forge = talk.forge()
        one, two = forge.list_threads(number)
        assert (one.first_comment_id, one.resolved, one.resolver) == (first.id, False, None)
        assert (two.first_comment_id, two.resolved, two.resolver) == (second.id, True, "mona")
        forge.resolve_thread(one.id)
        forge.resolve_thread(one.id)
        assert forge.list_threads(number)[0].resolver == "github-actions"

    def test_all_pages_of_threads(self, talk: Shop) -> None:
        number, head = talk.feature()
        for _ in range(4):
            talk.forge().post_review(number, head, "", [at(10)] * 30)
        assert len({each.id for each in talk.forge().list_threads(number)}) == 120
        assert posts(talk, "/graphql") == 2

    def test_a_cursor_that_does_not_move_ends_the_threads(self, talk: Shop) -> None:
        page = {"pageInfo": {"hasNextPage": True, "endCursor": "same"}, "nodes": []}
        body = {"data": {"repository": {"pullRequest": {"reviewThreads": page}}}}
        talk.hub.faults = lambda _: Fault(200, body=body)
        forge = talk.forge()
        assert forge.list_threads(1) == []
        assert forge.requests_made == 2
        talk.hub.log.clear()

    def test_a_token_without_the_permission(self, talk: Shop) -> None:
        number, head = talk.feature()
        talk.forge().post_review(number, head, "", [at(10)])
        reader = talk.forge("ghs_reader")
        [thread] = reader.list_threads(number)
        with pytest.raises(ThreadsRefused) as caught:
            reader.resolve_thread(thread.id)
        assert caught.value.problem == (
            "cannot resolve a thread: Resource not accessible by integration"
        )
        assert "`contents: write`" in caught.value.remedy

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(404, message="Not Found"),
            Fault(502, message="Bad Gateway"),
            Fault(200, body={"data": None}),
            Fault(200, body={"data": {"repository": None}}),
            Fault(200, body={}),
        ],
    )
    def test_a_server_without_graphql(self, talk: Shop, fault: Fault) -> None:
        number, _ = talk.feature()
        talk.hub.faults = lambda request: fault if request.path == "/graphql" else None
        with pytest.raises(ThreadsRefused, match="cannot see which threads of 1 are resolved"):
            talk.forge().list_threads(number)

    def test_a_server_without_reactions_and_permissions(self, talk: Shop) -> None:
        gone = Fault(404, message="Not Found")
        talk.hub.faults = lambda each: gone if each.path.endswith(("ions", "ission")) else None
        forge = talk.forge()
        assert (forge.list_reactions(7), forge.has_write_access("acme")) == ([], False)

    def test_an_enterprise_server(self, talk: Shop) -> None:
        number, head = talk.feature()
        [first] = talk.forge().post_review(number, head, "", [at(10)])
        forge = talk.forge(GITHUB_API_URL=f"{talk.hub.url}/api/v3")
        assert [each.first_comment_id for each in forge.list_threads(number)] == [first.id]
        assert talk.hub.log[-1].path == "/api/graphql"
