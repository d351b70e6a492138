from dataclasses import replace
from datetime import UTC, datetime

import pytest

from claude_batch.costs.receipts import Receipt
from claude_batch.diff.commentable import Commentable
from claude_batch.diff.model import Diff, Side
from claude_batch.findings.finding import Severity
from claude_batch.findings.placement import DroppedFinding, PlacedFinding
from claude_batch.github_api.models import DraftComment, RemoteComment
from claude_batch.ledger.events import Post
from claude_batch.pull_requests import comment as comment
from claude_batch.pull_requests.poster import split_into_reviews
from claude_batch.pull_requests.review_plan import (
    ExistingComment,
    ExistingComments,
    NewComment,
    ReviewPlan,
    body_digest,
    comment_fault,
    our_review_comments,
    plan_review,
)
from claude_batch.pull_requests.selection import Selection
from claude_batch.pull_requests.summary import ReviewCoverage
from responses import diff, hunk, placed

BOT = "github-actions[bot]"
HEAD = "0123456789abcdef0123456789abcdef01234567"
HUNK = """
 one
-two
+2
+3
 four
"""
DIFF = diff(("src/a.py", hunk(HUNK, 1, 1)), ("src/a.py", hunk(HUNK, 21, 22)))
EMPTY = ExistingComments((), {}, BOT)


def key(number: int) -> str:
    return placed(number).finding.fingerprint


def post(what: str, name: str, remote_id: int, body_sha: str = "", head: str = HEAD) -> Post:
    return Post.model_validate(
        {
            "at": datetime(2026, 11, 22, tzinfo=UTC),
            "run": "r",
            "repo": "o/r",
            "pr": 7,
            "what": what,
            "key": name,
            "remote_id": remote_id,
            "sha": body_sha,
            "head": head,
        }
    )


def plan(chosen: Selection, remote: ExistingComments = EMPTY, **options: object) -> ReviewPlan:
    coverage = ReviewCoverage(HEAD, answered=3)
    return plan_review(chosen, remote, DIFF, coverage, Receipt(), **options)  # type: ignore[arg-type]


def stands(one: PlacedFinding, remote_id: int, login: str = BOT) -> RemoteComment:
    return RemoteComment(
        remote_id, login, comment.render_comment(one), one.path, one.line, one.side
    )


def carried_out(
    publication: ReviewPlan, remote: ExistingComments, record: bool = True
) -> ExistingComments:
    """The pull request after everything was sent, as GitHub gives bodies back: with CRLF."""
    comments = {one.id: one for one in remote.comments}
    posts = dict(remote.posts)
    for number, fresh in enumerate(publication.create, 100):
        body = fresh.comment.body.replace("\n", "\r\n")
        comments[number] = RemoteComment(number, BOT, body, fresh.comment.path, fresh.comment.line)
        posts[fresh.fingerprint] = post("comment", fresh.fingerprint, number)
    for edit in publication.edit:
        comments[edit.id] = replace(comments[edit.id], body=edit.body)
    if publication.summary_due and publication.summary:
        at = publication.summary_id or 1
        comments[at] = RemoteComment(at, BOT, publication.summary + "\r\n")
        posts["summary"] = post("summary", "summary", at)
    posts["check"] = post("check", "check", 5, body_digest(publication.check))
    return ExistingComments(tuple(comments.values()), posts if record else remote.posts, BOT)


def test_a_first_publication() -> None:
    one, folded = placed(1, (2, 3)), placed(2, (4, 4))
    dropped = DroppedFinding(placed(3).finding, "changed_meanwhile")
    publication = plan(Selection([one], [folded], [dropped]))
    assert publication.create == (
        NewComment(key(1), DraftComment("src/a.py", Side.RIGHT, 2, 3, comment.render_comment(one))),
    )
    assert (publication.edit, publication.unrecorded, publication.unchanged) == ((), (), 0)
    assert publication.dropped == (dropped, DroppedFinding(folded.finding, "over_limit"))
    assert (
        publication.summary
        == """\
## claude-batch

2 findings at 0123456789: 1 inline, 1 in this summary. 3 tasks reviewed.

<details>
<summary>1 finding without an inline comment</summary>

- `src/a.py:4` medium · bug: **Title 2** Body 2.

</details>

Not shown: 1 (code changed since the review).

<!-- claude-batch:summary -->"""
    )
    assert publication.summary_due
    assert publication.summary_id is None
    assert publication.check.conclusion == "neutral"
    assert publication.check.title == "2 findings"
    assert publication.check.summary == (
        "2 findings at 0123456789: 1 inline, 1 in this summary. 3 tasks reviewed."
    )


@pytest.mark.parametrize("recorded", [True, False])
def test_the_second_time_nothing_is_due(recorded: bool) -> None:
    chosen = Selection([placed(1, (2, 3))], [placed(2, (4, 4))], [])
    remote = carried_out(plan(chosen), EMPTY, recorded)
    again = plan(chosen, remote)
    assert (again.create, again.edit, again.unchanged) == ((), (), 1)
    assert not again.summary_due
    assert again.summary_id == 1
    assert [one.fingerprint for one in again.unrecorded] == ([] if recorded else [key(1)])
    assert again.check_due is not recorded


def test_nothing_found_leaves_only_a_check() -> None:
    publication = plan(Selection([], [], []))
    assert publication.summary is None
    assert not publication.summary_due
    assert publication.check.conclusion == "neutral"
    assert publication.check.title == "No findings in 3 tasks"


def test_a_summary_that_stands_is_kept_true_when_all_is_mended() -> None:
    remote = carried_out(plan(Selection([placed(1)], [], [])), EMPTY)
    mended = plan(Selection([], [], []), remote)
    assert mended.summary is not None
    assert mended.summary.startswith("## claude-batch\n\n0 findings at 0123456789.")
    assert mended.summary_due
    assert mended.create == ()


def test_another_wording_is_an_edit() -> None:
    before, after = placed(1), placed(1, body="Said better.")
    remote = carried_out(plan(Selection([before], [], [])), EMPTY)
    publication = plan(Selection([after], [], []), remote)
    assert publication.edit == (ExistingComment(key(1), 100, comment.render_comment(after)),)
    assert publication.create == ()


def test_what_the_ledger_knows_as_posted_is_not_edited_for_githubs_white_space() -> None:
    one = placed(1)
    theirs = replace(stands(one, 9), body=comment.render_comment(one).replace("\n\n", "\n"))
    posts = {key(1): post("comment", key(1), 9, body_digest(comment.render_comment(one)))}
    assert plan(Selection([one], [], []), ExistingComments([theirs], posts, BOT)).edit == ()


def test_a_marker_counts_only_with_our_login_or_our_record() -> None:
    one = placed(1)
    theirs = stands(one, 9, login="mallory")
    assert len(plan(Selection([one], [], []), ExistingComments([theirs], {}, BOT)).create) == 1
    assert len(plan(Selection([one], [], []), ExistingComments([theirs], {}, None)).create) == 1
    recorded = ExistingComments([theirs], {key(1): post("comment", key(1), 9)}, None)
    assert plan(Selection([one], [], []), recorded).create == ()


def test_a_reply_of_ours_with_a_marker_does_not_stand_for_its_finding() -> None:
    one, other = placed(1), placed(2)
    reply = replace(stands(other, 10), in_reply_to=9)
    remote = ExistingComments([stands(one, 9), reply], {}, BOT)
    publication = plan(Selection([one, other], [], []), remote)
    assert [new.fingerprint for new in publication.create] == [key(2)]
    assert publication.unchanged == 1
    assert our_review_comments(remote) == {9: key(1)}


@pytest.mark.parametrize("order", [(8, 9), (9, 8)])
@pytest.mark.parametrize(("recorded", "edited"), [(None, 8), (8, 8), (9, 9)])
def test_of_two_comments_with_one_marker_one_is_edited(
    order: tuple[int, int], recorded: int | None, edited: int
) -> None:
    """The recorded one, else the first."""
    before, after = placed(1), placed(1, body="Said better.")
    posts = {key(1): post("comment", key(1), recorded)} if recorded else {}
    remote = ExistingComments([stands(before, number) for number in order], posts, BOT)
    publication = plan(Selection([after], [], []), remote)
    assert [edit.id for edit in publication.edit] == [edited]
    assert publication.create == ()


@pytest.mark.parametrize("order", [(3, 4), (4, 3)])
@pytest.mark.parametrize(("recorded", "edited"), [(None, 3), (4, 4)])
def test_of_two_summaries_one_is_edited(
    order: tuple[int, int], recorded: int | None, edited: int
) -> None:
    body = plan(Selection([placed(1)], [], [])).summary
    assert body
    posts = {"summary": post("summary", "summary", recorded)} if recorded else {}
    comments = [RemoteComment(number, BOT, body) for number in order]
    publication = plan(Selection([], [], []), ExistingComments(comments, posts, BOT))
    assert (publication.summary_id, publication.summary_due) == (edited, True)


def test_a_conversation_comment_is_no_review_comment_of_the_same_id() -> None:
    one = placed(1)
    posts = {key(1): post("comment", key(1), 9)}
    conversation = RemoteComment(9, "somebody", "hello")
    publication = plan(Selection([one], [], []), ExistingComments([conversation], posts, BOT))
    assert publication.edit == ()


def test_a_body_that_a_person_rewrote_is_left_to_them() -> None:
    one = placed(1, body="new words")
    rewritten = replace(stands(one, 9), body="I know.")
    posts = {key(1): post("comment", key(1), 9)}
    publication = plan(Selection([one], [], []), ExistingComments([rewritten], posts, BOT))
    assert (publication.create, publication.edit, publication.unchanged) == ((), (), 1)


def test_what_a_person_deleted_stays_deleted() -> None:
    one = placed(1, severity=Severity.CRITICAL)
    posts = {key(1): post("comment", key(1), 9), "summary": post("summary", "summary", 1)}
    publication = plan(
        Selection([one], [], []), ExistingComments([], posts, BOT), fail_on=Severity.LOW
    )
    assert publication.create == ()
    assert publication.summary is None
    assert publication.dropped == (DroppedFinding(one.finding, "silenced"),)
    assert publication.check.conclusion == "neutral"


def test_a_finding_that_stands_at_its_line_is_not_folded() -> None:
    one = placed(1)
    publication = plan(Selection([], [one], []), ExistingComments([stands(one, 9)], {}, BOT))
    assert publication.unchanged == 1
    assert publication.dropped == ()
    assert publication.summary is not None
    assert "1 inline, 0 in this summary" in publication.summary


def test_a_comment_that_github_would_refuse_goes_to_the_summary() -> None:
    one = placed(1, (9, 9))
    publication = plan(Selection([one], [], []))
    assert publication.create == ()
    assert publication.dropped == (DroppedFinding(one.finding, "outside_diff"),)
    assert publication.summary is not None
    assert "- `src/a.py` medium · bug: **Title 1** Body 1." in publication.summary


def test_unverified_is_said() -> None:
    one = placed(1)
    (fresh,) = plan(Selection([one], [], []), unverified={one.finding.id}).create
    assert fresh.comment.body.startswith("medium · bug · unverified\n")


@pytest.mark.parametrize(
    ("fail_on", "conclusion"),
    [
        (None, "neutral"),
        (Severity.CRITICAL, "neutral"),
        (Severity.HIGH, "failure"),
        (Severity.LOW, "failure"),
    ],
)
def test_the_check_fails_at_a_severity(fail_on: Severity | None, conclusion: str) -> None:
    chosen = Selection([], [placed(1, severity=Severity.HIGH)], [])
    assert plan(chosen, fail_on=fail_on).check.conclusion == conclusion


def test_a_check_is_due_for_each_head_and_each_text() -> None:
    chosen = Selection([placed(1)], [], [])
    remote = carried_out(plan(chosen), EMPTY)
    assert not plan(chosen, remote).check_due
    assert plan(Selection([], [], []), remote).check_due
    old = post("check", "check", 5, remote.posts["check"].sha, head="f" * 40)
    assert plan(chosen, replace(remote, posts={**remote.posts, "check": old})).check_due


# what GitHub takes


def draft(first: int, last: int, side: Side = Side.RIGHT, **changes: str) -> DraftComment:
    return replace(
        DraftComment("src/a.py", side, first, last, comment.render_comment(placed(1))), **changes
    )


def test_lines_of_hunks_are_taken() -> None:
    good = [
        draft(1, 1),
        draft(1, 4),
        draft(22, 25),
        draft(2, 2, Side.LEFT),
        draft(1, 3, Side.LEFT),
        draft(23, 23, Side.LEFT),
    ]
    assert [comment_fault(one, Commentable(DIFF)) for one in good] == [None] * 6


@pytest.mark.parametrize(
    ("one", "fault"),
    [
        (draft(5, 5), "the line is not in the diff"),
        (draft(21, 21), "the line is not in the diff"),
        (draft(4, 4, Side.LEFT), "the line is not in the diff"),
        (draft(3, 23), "the range leaves its hunk"),
        (draft(3, 2), "the range ends before it starts"),
        (draft(1, 1, path="b.py"), "the file is not in the diff"),
        (draft(1, 1, body="x" * 60_001), "the body is too long"),
        (draft(1, 1, body="x"), "the body has no marker"),
    ],
)
def test_others_are_not(one: DraftComment, fault: str) -> None:
    assert comment_fault(one, Commentable(DIFF)) == fault


def test_reviews_hold_thirty() -> None:
    fresh = [NewComment(key(n), draft(1, 1)) for n in range(61)]
    assert [len(part) for part in split_into_reviews(fresh)] == [30, 30, 1]


def test_an_empty_diff_takes_nothing() -> None:
    empty = Diff(DIFF.comparison, ())
    assert comment_fault(draft(1, 1), Commentable(empty)) == "the file is not in the diff"


def test_a_persons_token_cannot_write_a_check_so_none_is_due():
    chosen = Selection([placed(1)], [], [])
    assert plan(chosen, ExistingComments((), {}, BOT)).check_due
    assert not plan(chosen, ExistingComments((), {}, "octocat")).check_due
