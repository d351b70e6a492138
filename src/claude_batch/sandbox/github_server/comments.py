"""What is said on a pull request: reviews, their comments, and the conversation."""

from collections.abc import Mapping, Sequence
from typing import Any

from claude_batch.diff.model import Side
from claude_batch.sandbox.github_server import comment_serializers as shapes
from claude_batch.sandbox.github_server.comment_rules import (
    BLANK,
    MALFORMED,
    MOST_COMMENTS,
    TOO_LONG,
    TOO_QUICK,
    anchor_faults,
    body_faults,
    hunk_of,
    malformed,
    quoted,
)
from claude_batch.sandbox.github_server.git_repository import Touched
from claude_batch.sandbox.github_server.messages import (
    Incoming,
    Refused,
    Reply,
    fields,
    invalid,
    not_found,
    page,
    unprocessable,
)
from claude_batch.sandbox.github_server.state import (
    Comment,
    GitHubState,
    PullRecord,
    Remark,
    Review,
)

STATES = {"COMMENT": "COMMENTED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
LINE_FIELD = "pull_request_review_thread.line"


def _login(incoming: Incoming) -> str:
    return incoming.account.login if incoming.account else "ghost"


def _faults(draft: Mapping[str, Any], changes: Sequence[Touched]) -> list[str]:
    if malformed(draft):
        return [MALFORMED]
    return body_faults(draft.get("body")) + anchor_faults(draft, changes)


def _commit(desk: GitHubState, pull: PullRecord, wanted: str | None) -> str:
    if wanted is None or wanted in desk.commits(pull):
        return wanted or pull.head_sha
    raise unprocessable("commit_id is not part of the pull request")


def list_reviews(desk: GitHubState, incoming: Incoming, number: str) -> Reply:
    pull = desk.pull(number)
    found = [each for each in desk.reviews.values() if each.pull == pull.number]
    return page(incoming, [shapes.review(desk, each) for each in found], desk.url)


def create_review(desk: GitHubState, incoming: Incoming, number: str) -> Reply:
    """All or nothing: one comment at fault, and nothing of the review is kept."""
    pull = desk.pull(number)
    body = fields(incoming, {}, "PullRequestReview")
    commit = _commit(desk, pull, body.get("commit_id"))
    drafts = body.get("comments", [])
    _check_review(body.get("body") or "", drafts)
    changes = desk.bare.changes(pull.base_sha, commit)
    faults = [fault for draft in drafts for fault in _faults(draft, changes)]
    if faults:
        raise unprocessable(*dict.fromkeys(faults))
    review = _keep_review(desk, pull, _login(incoming), body.get("body") or "", commit)
    review.state = STATES.get(body.get("event", ""), "PENDING")
    for draft in drafts:
        _keep_remark(desk, review, draft, changes)
    return Reply(200, shapes.review(desk, review))


def _check_review(body: object, drafts: object) -> None:
    if not isinstance(drafts, list) or not isinstance(body, str):
        raise unprocessable(MALFORMED)
    if len(drafts) > MOST_COMMENTS:
        raise unprocessable(TOO_QUICK)
    if body_faults(body) == [TOO_LONG]:
        raise unprocessable(TOO_LONG)
    if not drafts and not body.strip():
        raise unprocessable(BLANK)


def _keep_review(desk: GitHubState, pull: PullRecord, login: str, body: str, commit: str) -> Review:
    stamp = desk.stamp()
    made = Review(desk.next_id(), pull.number, login, body, "COMMENTED", commit, stamp)
    desk.reviews[made.id] = made
    return made


def _keep_remark(
    desk: GitHubState, review: Review, draft: Mapping[str, Any], changes: Sequence[Touched]
) -> Remark:
    side, line = Side(draft.get("side", "RIGHT")), draft.get("line")
    whole_file = draft.get("subject_type") == "file"
    touched = next(each for each in changes if each.path == draft["path"])
    hunk = None if whole_file or line is None else hunk_of(touched.hunks, side, line)
    start = draft.get("start_line")
    made = Remark(
        id=desk.next_id(),
        pull=review.pull,
        review=review.id,
        login=review.login,
        body=draft["body"],
        path=draft["path"],
        commit_id=review.commit_id,
        diff_hunk=quoted(hunk, side, line) if hunk and line is not None else "",
        side=side,
        line=None if whole_file else line,
        start_side=None if start is None else Side(draft.get("start_side", side)),
        start_line=start,
        created_at=review.submitted_at,
        updated_at=review.submitted_at,
    )
    desk.remarks[made.id] = made
    return made


def list_remarks(desk: GitHubState, incoming: Incoming, number: str) -> Reply:
    pull = desk.pull(number)
    found = [
        shapes.remark(desk, each)
        for each in desk.remarks.values()
        if each.pull == pull.number and desk.reviews[each.review].state != "PENDING"
    ]
    return page(incoming, found, desk.url)


def create_remark(desk: GitHubState, incoming: Incoming, number: str) -> Reply:
    """A single comment is a review of its own."""
    pull = desk.pull(number)
    body = fields(incoming, {"body": str}, "PullRequestReviewComment")
    if body.get("in_reply_to"):
        return _reply(desk, incoming, pull, body["in_reply_to"], body["body"])
    fields(incoming, {"commit_id": str, "path": str}, "PullRequestReviewComment")
    try:
        commit = _commit(desk, pull, body["commit_id"])
    except Refused as error:
        said = error.reply.body["errors"][0]
        raise invalid("PullRequestReviewComment", "commit_id", said) from error
    changes = desk.bare.changes(pull.base_sha, commit)
    faults = _faults(body, changes)
    if faults:
        raise invalid("PullRequestReviewComment", LINE_FIELD, " and ".join(faults))
    review = _keep_review(desk, pull, _login(incoming), "", commit)
    return Reply(201, shapes.remark(desk, _keep_remark(desk, review, body, changes)))


def reply_to_remark(desk: GitHubState, incoming: Incoming, number: str, remark: str) -> Reply:
    body = fields(incoming, {"body": str}, "PullRequestReviewComment")
    return _reply(desk, incoming, desk.pull(number), int(remark), body["body"])


def _reply(desk: GitHubState, incoming: Incoming, pull: PullRecord, to: int, body: str) -> Reply:
    first = desk.remarks.get(to)
    if first is None or first.pull != pull.number:
        raise not_found()
    return Reply(201, shapes.remark(desk, say_in_thread(desk, first, _login(incoming), body)))


def say_in_thread(desk: GitHubState, first: Remark, login: str, body: str) -> Remark:
    _check_body(body, "PullRequestReviewComment")
    review = _keep_review(desk, desk.pulls[first.pull], login, "", first.commit_id)
    known = {name: getattr(first, name) for name in Remark.__dataclass_fields__}
    known |= {"id": desk.next_id(), "review": review.id, "login": review.login, "body": body}
    known |= {"created_at": review.submitted_at, "updated_at": review.submitted_at, "edited": False}
    made = Remark(**known | {"in_reply_to": first.in_reply_to or first.id})
    desk.remarks[made.id] = made
    return made


def _check_body(body: str, resource: str) -> None:
    for fault in body_faults(body):
        raise invalid(resource, "body", fault)


def get_remark(desk: GitHubState, _: Incoming, remark: str) -> Reply:
    return Reply(200, shapes.remark(desk, desk.remark(remark)))


def edit_remark(desk: GitHubState, incoming: Incoming, remark: str) -> Reply:
    made = desk.remark(remark)
    made.body = _new_body(incoming, "PullRequestReviewComment")
    made.updated_at, made.edited = desk.stamp(), True
    return Reply(200, shapes.remark(desk, made))


def _new_body(incoming: Incoming, resource: str) -> str:
    body: str = fields(incoming, {"body": str}, resource)["body"]
    _check_body(body, resource)
    return body


def list_comments(desk: GitHubState, incoming: Incoming, number: str) -> Reply:
    pull = desk.pull(number)
    found = [each for each in desk.comments.values() if each.pull == pull.number]
    return page(incoming, [shapes.comment(desk, each) for each in found], desk.url)


def create_comment(desk: GitHubState, incoming: Incoming, number: str) -> Reply:
    pull, at = desk.pull(number), desk.stamp()
    body = _new_body(incoming, "IssueComment")
    made = Comment(desk.next_id(), pull.number, _login(incoming), body, at, at)
    desk.comments[made.id] = made
    return Reply(201, shapes.comment(desk, made))


def get_comment(desk: GitHubState, _: Incoming, comment: str) -> Reply:
    return Reply(200, shapes.comment(desk, desk.comment(comment)))


def edit_comment(desk: GitHubState, incoming: Incoming, comment: str) -> Reply:
    made = desk.comment(comment)
    made.body = _new_body(incoming, "IssueComment")
    made.updated_at, made.edited = desk.stamp(), True
    return Reply(200, shapes.comment(desk, made))
