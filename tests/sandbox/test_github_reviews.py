"""The look-alike holds reviews to GitHub's rules about diffs, and refuses them in its words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from claude_batch.sandbox.github_server.comment_rules import (
    BAD_PATH,
    BAD_SIDE,
    BLANK,
    MALFORMED,
    NOT_A_LINE,
    OTHER_HUNK,
    START_AFTER_END,
    TOO_LONG,
    TOO_QUICK,
)
from shop import Shop, open_shop

REVIEWS, COMMENTS = "/pulls/1/reviews", "/pulls/1/comments"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path) as made:
        made.feature()
        yield made


def review(*comments: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"event": "COMMENT", "body": "", "comments": list(comments)} | fields


def remark(line: int | None, path: str = "cart.py", **fields: Any) -> dict[str, Any]:
    anchor = {} if line is None else {"line": line}
    return {"path": path, "body": "why?"} | anchor | fields


# cart.py has the hunks 7..13 and 48..55 on the right, 7..13 and 48..53 on the left.
ACCEPTED = {
    "an added line": remark(51),
    "a context line": remark(7),
    "the last line of a hunk": remark(55),
    "a removed line": remark(10, side="LEFT"),
    "a range": remark(13, start_line=7, start_side="RIGHT", side="RIGHT"),
    "a range from left to right": remark(10, side="RIGHT", start_line=10, start_side="LEFT"),
    "an added file": remark(3, "added.py", start_line=1),
    "a deleted file": remark(1, "gone.py", side="LEFT"),
    "a renamed file": remark(15, "new_name.py"),
}
REFUSED = {
    "between the hunks": (remark(30), NOT_A_LINE),
    "before a hunk": (remark(6), NOT_A_LINE),
    "after a hunk": (remark(14), NOT_A_LINE),
    "a right line asked for on the left": (remark(55, side="LEFT"), NOT_A_LINE),
    "no line at all": (remark(None), NOT_A_LINE),
    "an old name": (remark(15, "old_name.py"), BAD_PATH),
    "an unchanged file": (remark(1, "README"), BAD_PATH),
    "a binary file": (remark(1, "logo.png"), NOT_A_LINE),
    "a start in another hunk": (remark(51, start_line=10), OTHER_HUNK),
    "a start between the hunks": (remark(51, start_line=30), OTHER_HUNK),
    "a start on the line": (remark(10, start_line=10), START_AFTER_END),
    "a start after the line": (remark(10, start_line=12), START_AFTER_END),
    "a start far after the line": (remark(10, start_line=51), START_AFTER_END),
    "a side in small letters": (remark(10, side="right"), BAD_SIDE),
    "a line that is text": (remark(10, start_line="9"), MALFORMED),
    "an empty body": (remark(10, body=" "), BLANK),
    "a long body": (remark(10, body="x" * 65_537), TOO_LONG),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_place_in_the_diff_is_taken(shop: Shop, case: str) -> None:
    answer = shop.ask("POST", REVIEWS, review(ACCEPTED[case]))
    assert (answer.status, answer.body["state"]) == (200, "COMMENTED")
    [stands] = shop.ask("GET", COMMENTS).body
    assert stands["line"] == ACCEPTED[case]["line"]
    assert stands["start_line"] == ACCEPTED[case].get("start_line")


@pytest.mark.parametrize("case", REFUSED)
def test_one_bad_place_refuses_the_whole_review(shop: Shop, case: str) -> None:
    comment, error = REFUSED[case]
    answer = shop.ask("POST", REVIEWS, review(remark(10), comment))
    assert answer.status == 422
    assert error in answer.errors()
    assert shop.ask("GET", COMMENTS).body == []
    assert shop.ask("GET", REVIEWS).body == []


@pytest.mark.parametrize("case", REFUSED)
def test_a_single_comment_is_held_to_the_same_rules(shop: Shop, case: str) -> None:
    comment, error = REFUSED[case]
    head = shop.ask("GET", "/pulls/1").body["head"]["sha"]
    answer = shop.ask("POST", COMMENTS, comment | {"commit_id": head})
    assert answer.status == 422
    assert error in answer.errors()[0]
    assert answer.body["errors"][0]["resource"] == "PullRequestReviewComment"


def test_32_comments_are_taken_and_33_are_too_many(shop: Shop) -> None:
    answer = shop.ask("POST", REVIEWS, review(*[remark(10)] * 33))
    assert (answer.status, answer.errors()) == (422, [TOO_QUICK])
    assert shop.ask("POST", REVIEWS, review(*[remark(10)] * 32)).status == 200
    assert len(shop.ask("GET", f"{COMMENTS}?per_page=100").body) == 32


def test_the_review_itself_needs_something_to_say(shop: Shop) -> None:
    assert shop.ask("POST", REVIEWS, review()).errors() == [BLANK]
    assert shop.ask("POST", REVIEWS, review(body="x" * 65_537)).errors() == [TOO_LONG]
    assert shop.ask("POST", REVIEWS, review(body="x" * 65_536)).status == 200


@pytest.mark.parametrize("comments", ["one", ["one"], {"path": "cart.py"}])
def test_what_is_no_list_of_comments_is_refused(shop: Shop, comments: object) -> None:
    answer = shop.ask("POST", REVIEWS, review(comments=comments))
    assert (answer.status, answer.errors()) == (422, [MALFORMED])


def test_a_commit_must_belong_to_the_pull_request(shop: Shop) -> None:
    base = shop.ask("GET", "/pulls/1").body["base"]["sha"]
    message = "commit_id is not part of the pull request"
    answer = shop.ask("POST", REVIEWS, review(remark(10), commit_id=base))
    assert (answer.status, answer.errors()) == (422, [message])
    answer = shop.ask("POST", COMMENTS, remark(10) | {"commit_id": base})
    assert (answer.status, answer.errors()) == (422, [message])


def test_an_earlier_commit_is_measured_by_its_own_diff(shop: Shop) -> None:
    early = shop.ask("GET", "/pulls/1").body["head"]["sha"]
    cart = (shop.work / "cart.py").read_text()
    shop.commit({"cart.py": cart.replace("line_30 = 30", "line_30 = 'thirty'")})
    shop.git("push", "-q", "origin", "feature")
    assert shop.ask("POST", REVIEWS, review(remark(30), commit_id=early)).status == 422
    assert shop.ask("POST", REVIEWS, review(remark(10), commit_id=early)).status == 200
    assert shop.ask("POST", REVIEWS, review(remark(30))).status == 200


def test_comments_move_with_their_lines_until_those_change(shop: Shop) -> None:
    early = shop.ask("GET", "/pulls/1").body["head"]["sha"]
    comments = [
        remark(10),
        remark(52, start_line=51),
        remark(10, side="LEFT"),
        remark(2, "added.py"),
    ]
    shop.ask("POST", REVIEWS, review(*comments))
    cart = (shop.work / "cart.py").read_text()
    rest = "a = 1\nb = 'two'\nc = 3\n"
    late = shop.commit({"cart.py": "zero = 0\n" + cart, "added.py": rest})
    shop.git("push", "-q", "origin", "feature")
    stand = shop.ask("GET", COMMENTS).body
    assert [each["line"] for each in stand] == [11, 53, 10, None]
    assert [each["original_line"] for each in stand] == [10, 52, 10, 2]
    assert [each["start_line"] for each in stand] == [None, 52, None, None]
    assert [each["commit_id"] for each in stand] == [late, late, late, early]
    assert {each["original_commit_id"] for each in stand} == {early}


def test_the_quoted_hunk_ends_at_the_line(shop: Shop) -> None:
    shop.ask("POST", REVIEWS, review(remark(10)))
    [stands] = shop.ask("GET", COMMENTS).body
    assert stands["diff_hunk"] == (
        "@@ -7,7 +7,7 @@\n line_7 = 7\n line_8 = 8\n line_9 = 9\n-line_10 = 10\n+line_10 = 'ten'"
    )


def test_a_file_level_comment(shop: Shop) -> None:
    head = shop.ask("GET", "/pulls/1").body["head"]["sha"]
    body = remark(None) | {"commit_id": head, "subject_type": "file"}
    answer = shop.ask("POST", COMMENTS, body)
    assert (answer.status, answer.body["subject_type"]) == (201, "file")
    assert "line" not in answer.body


def test_replies_and_edits(shop: Shop) -> None:
    head = shop.ask("GET", "/pulls/1").body["head"]["sha"]
    first = shop.ask("POST", COMMENTS, remark(10) | {"commit_id": head}).body["id"]
    reply = shop.ask("POST", f"{COMMENTS}/{first}/replies", {"body": "because"})
    assert (reply.status, reply.body["in_reply_to_id"]) == (201, first)
    second = shop.ask("POST", f"{COMMENTS}/{reply.body['id']}/replies", {"body": "I see"})
    assert second.body["in_reply_to_id"] == first
    assert shop.ask("POST", f"{COMMENTS}/99/replies", {"body": "x"}).status == 404
    path = f"/pulls/comments/{first}"
    assert shop.ask("PATCH", path, {"body": "why, please?"}).status == 200
    assert shop.ask("GET", path).body["body"] == "why, please?"
    assert shop.ask("PATCH", path, {"body": ""}).status == 422
    assert shop.ask("PATCH", path, {}).status == 422
    assert shop.ask("PATCH", "/pulls/comments/99", {"body": "x"}).status == 404


def test_a_pending_review_is_not_shown(shop: Shop) -> None:
    body = review(remark(10))
    del body["event"]
    assert shop.ask("POST", REVIEWS, body).body["state"] == "PENDING"
    assert shop.ask("GET", COMMENTS).body == []


def test_the_conversation_in_order(shop: Shop) -> None:
    head = shop.ask("GET", "/pulls/1").body["head"]["sha"]
    shop.ask("POST", "/check-runs", {"name": "batch", "head_sha": head, "status": "queued"})
    first = shop.ask("POST", "/issues/1/comments", {"body": "hello"}).body["id"]
    shop.ask("POST", REVIEWS, review(remark(10), body="one thing"))
    shop.ask("PATCH", f"/issues/comments/{first}", {"body": "hello!"})
    said = shop.hub.conversation(1)
    assert [each.kind for each in said] == ["check", "comment", "review", "review comment"]
    assert [each.body for each in said] == ["", "hello!", "one thing", "why?"]
    assert [each.edited for each in said] == [False, True, False, False]
    assert (said[3].path, said[3].line, said[3].review) == ("cart.py", 10, said[2].id)
