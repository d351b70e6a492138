"""The conversation on a pull request: reviews, their comments, and issue comments."""

from collections.abc import Mapping, Sequence
from typing import Any

from claude_batch.diff.model import Side
from claude_batch.sandbox.github_server import comment_serializers
from claude_batch.sandbox.github_server.comment_rules import (
    BLANK,
    MALFORMED,
    MOST_COMMENTS,
    TOO_LONG,
    TOO_QUICK,
    find_anchor_errors,
    find_body_errors,
    find_hunk,
    is_malformed,
    quote_hunk,
)
from claude_batch.sandbox.github_server.git_repository import ChangedFile
from claude_batch.sandbox.github_server.messages import (
    ApiRequest,
    ApiResponse,
    GitHubErrorResponse,
    invalid_field,
    not_found,
    paginate,
    require_fields,
    unprocessable,
)
from claude_batch.sandbox.github_server.state import (
    GitHubState,
    IssueComment,
    PullRecord,
    Review,
    ReviewComment,
)

STATES = {"COMMENT": "COMMENTED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
LINE_FIELD = "pull_request_review_thread.line"


def _login(incoming: ApiRequest) -> str:
    return incoming.account.login if incoming.account else "ghost"


def _faults(draft: Mapping[str, Any], changes: Sequence[ChangedFile]) -> list[str]:
    if is_malformed(draft):
        return [MALFORMED]
    return find_body_errors(draft.get("body")) + find_anchor_errors(draft, changes)


def _commit(desk: GitHubState, pull: PullRecord, wanted: str | None) -> str:
    if wanted is None or wanted in desk.commits(pull):
        return wanted or pull.head_sha
    raise unprocessable("commit_id is not part of the pull request")


def list_reviews(desk: GitHubState, incoming: ApiRequest, number: str) -> ApiResponse:
    pull = desk.pull(number)
    found = [each for each in desk.reviews.values() if each.pull == pull.number]
    return paginate(incoming, [comment_serializers.review(desk, each) for each in found], desk.url)


def create_review(desk: GitHubState, incoming: ApiRequest, number: str) -> ApiResponse:
    """All or nothing: one comment at fault, and nothing of the review is kept."""
    pull = desk.pull(number)
    body = require_fields(incoming, {}, "PullRequestReview")
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
    return ApiResponse(200, comment_serializers.review(desk, review))


def _check_review(body: object, drafts: object) -> None:
    if not isinstance(drafts, list) or not isinstance(body, str):
        raise unprocessable(MALFORMED)
    if len(drafts) > MOST_COMMENTS:
        raise unprocessable(TOO_QUICK)
    if find_body_errors(body) == [TOO_LONG]:
        raise unprocessable(TOO_LONG)
    if not drafts and not body.strip():
        raise unprocessable(BLANK)


def _keep_review(desk: GitHubState, pull: PullRecord, login: str, body: str, commit: str) -> Review:
    stamp = desk.timestamp()
    made = Review(desk.next_id(), pull.number, login, body, "COMMENTED", commit, stamp)
    desk.reviews[made.id] = made
    return made


def _keep_remark(
    desk: GitHubState, review: Review, draft: Mapping[str, Any], changes: Sequence[ChangedFile]
) -> ReviewComment:
    side, line = Side(draft.get("side", "RIGHT")), draft.get("line")
    whole_file = draft.get("subject_type") == "file"
    touched = next(each for each in changes if each.path == draft["path"])
    hunk = None if whole_file or line is None else find_hunk(touched.hunks, side, line)
    start = draft.get("start_line")
    made = ReviewComment(
        id=desk.next_id(),
        pull=review.pull,
        review=review.id,
        login=review.login,
        body=draft["body"],
        path=draft["path"],
        commit_id=review.commit_id,
        diff_hunk=quote_hunk(hunk, side, line) if hunk and line is not None else "",
        side=side,
        line=None if whole_file else line,
        start_side=None if start is None else Side(draft.get("start_side", side)),
        start_line=start,
        created_at=review.submitted_at,
        updated_at=review.submitted_at,
    )
    desk.review_comments[made.id] = made
    return made


def list_remarks(desk: GitHubState, incoming: ApiRequest, number: str) -> ApiResponse:
    pull = desk.pull(number)
    found = [
        comment_serializers.remark(desk, each)
        for each in desk.review_comments.values()
        if each.pull == pull.number and desk.reviews[each.review].state != "PENDING"
    ]
    return paginate(incoming, found, desk.url)


def create_remark(desk: GitHubState, incoming: ApiRequest, number: str) -> ApiResponse:
    """A single comment is a review of its own."""
    pull = desk.pull(number)
    body = require_fields(incoming, {"body": str}, "PullRequestReviewComment")
    if body.get("in_reply_to"):
        return _reply(desk, incoming, pull, body["in_reply_to"], body["body"])
    require_fields(incoming, {"commit_id": str, "path": str}, "PullRequestReviewComment")
    try:
        commit = _commit(desk, pull, body["commit_id"])
    except GitHubErrorResponse as error:
        said = error.response.body["errors"][0]
        raise invalid_field("PullRequestReviewComment", "commit_id", said) from error
    changes = desk.bare.changes(pull.base_sha, commit)
    faults = _faults(body, changes)
    if faults:
        raise invalid_field("PullRequestReviewComment", LINE_FIELD, " and ".join(faults))
    review = _keep_review(desk, pull, _login(incoming), "", commit)
    return ApiResponse(
        201, comment_serializers.remark(desk, _keep_remark(desk, review, body, changes))
    )


def reply_to_remark(
    desk: GitHubState, incoming: ApiRequest, number: str, remark: str
) -> ApiResponse:
    body = require_fields(incoming, {"body": str}, "PullRequestReviewComment")
    return _reply(desk, incoming, desk.pull(number), int(remark), body["body"])


def _reply(
    desk: GitHubState, incoming: ApiRequest, pull: PullRecord, to: int, body: str
) -> ApiResponse:
    first = desk.review_comments.get(to)
    if first is None or first.pull != pull.number:
        raise not_found()
    return ApiResponse(
        201, comment_serializers.remark(desk, say_in_thread(desk, first, _login(incoming), body))
    )


def say_in_thread(desk: GitHubState, first: ReviewComment, login: str, body: str) -> ReviewComment:
    _check_body(body, "PullRequestReviewComment")
    review = _keep_review(desk, desk.pulls[first.pull], login, "", first.commit_id)
    known = {name: getattr(first, name) for name in ReviewComment.__dataclass_fields__}
    known |= {"id": desk.next_id(), "review": review.id, "login": review.login, "body": body}
    known |= {"created_at": review.submitted_at, "updated_at": review.submitted_at, "edited": False}
    made = ReviewComment(**known | {"in_reply_to": first.in_reply_to or first.id})
    desk.review_comments[made.id] = made
    return made


def _check_body(body: str, resource: str) -> None:
    for fault in find_body_errors(body):
        raise invalid_field(resource, "body", fault)


def get_remark(desk: GitHubState, _: ApiRequest, remark: str) -> ApiResponse:
    return ApiResponse(200, comment_serializers.remark(desk, desk.review_comment(remark)))


def edit_remark(desk: GitHubState, incoming: ApiRequest, remark: str) -> ApiResponse:
    made = desk.review_comment(remark)
    made.body = _new_body(incoming, "PullRequestReviewComment")
    made.updated_at, made.edited = desk.timestamp(), True
    return ApiResponse(200, comment_serializers.remark(desk, made))


def _new_body(incoming: ApiRequest, resource: str) -> str:
    body: str = require_fields(incoming, {"body": str}, resource)["body"]
    _check_body(body, resource)
    return body


def list_comments(desk: GitHubState, incoming: ApiRequest, number: str) -> ApiResponse:
    pull = desk.pull(number)
    found = [each for each in desk.issue_comments.values() if each.pull == pull.number]
    return paginate(incoming, [comment_serializers.comment(desk, each) for each in found], desk.url)


def create_comment(desk: GitHubState, incoming: ApiRequest, number: str) -> ApiResponse:
    pull, at = desk.pull(number), desk.timestamp()
    body = _new_body(incoming, "IssueComment")
    made = IssueComment(desk.next_id(), pull.number, _login(incoming), body, at, at)
    desk.issue_comments[made.id] = made
    return ApiResponse(201, comment_serializers.comment(desk, made))


def get_comment(desk: GitHubState, _: ApiRequest, comment: str) -> ApiResponse:
    return ApiResponse(200, comment_serializers.comment(desk, desk.issue_comment(comment)))


def edit_comment(desk: GitHubState, incoming: ApiRequest, comment: str) -> ApiResponse:
    made = desk.issue_comment(comment)
    made.body = _new_body(incoming, "IssueComment")
    made.updated_at, made.edited = desk.timestamp(), True
    return ApiResponse(200, comment_serializers.comment(desk, made))
