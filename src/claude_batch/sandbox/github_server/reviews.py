"""Reviews: their JSON, their endpoints, and the creation of review comments."""

from collections.abc import Mapping, Sequence
from typing import Any

from claude_batch.diff.model import Side
from claude_batch.sandbox.github_server.comment_rules import (
    BLANK,
    MALFORMED,
    MAX_COMMENTS,
    TOO_LONG,
    TOO_QUICK,
    find_anchor_errors,
    find_body_errors,
    find_hunk,
    is_malformed,
    quote_hunk,
)
from claude_batch.sandbox.github_server.comments import add_review, reply_to, review_comment_json
from claude_batch.sandbox.github_server.git_repository import ChangedFile
from claude_batch.sandbox.github_server.messages import (
    ApiRequest,
    ApiResponse,
    GitHubErrorResponse,
    invalid_field,
    paginate,
    require_fields,
    unprocessable,
)
from claude_batch.sandbox.github_server.pulls import pull_api_url, pull_page_url
from claude_batch.sandbox.github_server.repository import Json, node_id, pick_fields, user_json
from claude_batch.sandbox.github_server.state import GitHubState, PullRecord, Review, ReviewComment

STATES = {"COMMENT": "COMMENTED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
LINE_FIELD = "pull_request_review_thread.line"


def _review_json(state: GitHubState, review: Review) -> Json:
    page = f"{pull_page_url(state, review.pull)}#pullrequestreview-{review.id}"
    url = pull_api_url(state, review.pull)
    return {
        **pick_fields(review, "id", "body", "state", "commit_id", "submitted_at"),
        "node_id": node_id("Review", review.id),
        "user": user_json(state, review.login),
        "html_url": page,
        "pull_request_url": url,
        "_links": {"html": {"href": page}, "pull_request": {"href": url}},
        "author_association": "NONE",
    }


def _find_errors(draft: Mapping[str, Any], changes: Sequence[ChangedFile]) -> list[str]:
    if is_malformed(draft):
        return [MALFORMED]
    return find_body_errors(draft.get("body")) + find_anchor_errors(draft, changes)


def _validate_commit(state: GitHubState, pull: PullRecord, commit_id: str | None) -> str:
    """Return the commit of a review, which is the head by default."""
    if commit_id is None or commit_id in state.commits(pull):
        return commit_id or pull.head_sha
    raise unprocessable("commit_id is not part of the pull request")


def list_reviews(state: GitHubState, request: ApiRequest, number: str) -> ApiResponse:
    pull = state.pull(number)
    reviews = [review for review in state.reviews.values() if review.pull == pull.number]
    return paginate(request, [_review_json(state, review) for review in reviews], state.url)


def create_review(state: GitHubState, request: ApiRequest, number: str) -> ApiResponse:
    """One invalid comment refuses the whole review."""
    pull = state.pull(number)
    body = require_fields(request, {}, "PullRequestReview")
    commit = _validate_commit(state, pull, body.get("commit_id"))
    text, drafts = body.get("body") or "", body.get("comments", [])
    _validate_review(text, drafts)
    changes = state.bare.changes(pull.base_sha, commit)
    errors = [error for draft in drafts for error in _find_errors(draft, changes)]
    if errors:
        raise unprocessable(*dict.fromkeys(errors))
    review = add_review(state, pull, request.login, text, commit)
    review.state = STATES.get(body.get("event", ""), "PENDING")
    for draft in drafts:
        _add_review_comment(state, review, draft, changes)
    return ApiResponse(200, _review_json(state, review))


def _validate_review(body: object, drafts: object) -> None:
    if not isinstance(drafts, list) or not isinstance(body, str):
        raise unprocessable(MALFORMED)
    if len(drafts) > MAX_COMMENTS:
        raise unprocessable(TOO_QUICK)
    if find_body_errors(body) == [TOO_LONG]:
        raise unprocessable(TOO_LONG)
    if not drafts and not body.strip():
        raise unprocessable(BLANK)


def _add_review_comment(
    state: GitHubState, review: Review, draft: Mapping[str, Any], changes: Sequence[ChangedFile]
) -> ReviewComment:
    is_on_file = draft.get("subject_type") == "file"
    side, line = Side(draft.get("side", "RIGHT")), None if is_on_file else draft.get("line")
    file = next(file for file in changes if file.path == draft["path"])
    hunk = None if line is None else find_hunk(file.hunks, side, line)
    start = draft.get("start_line")
    comment = ReviewComment(
        id=state.next_id(),
        pull=review.pull,
        review=review.id,
        login=review.login,
        body=draft["body"],
        path=draft["path"],
        commit_id=review.commit_id,
        diff_hunk=quote_hunk(hunk, side, line) if hunk and line is not None else "",
        side=side,
        line=line,
        start_side=None if start is None else Side(draft.get("start_side", side)),
        start_line=start,
        created_at=review.submitted_at,
        updated_at=review.submitted_at,
    )
    state.review_comments[comment.id] = comment
    return comment


def create_review_comment(state: GitHubState, request: ApiRequest, number: str) -> ApiResponse:
    """Create a review with one comment, or a reply."""
    pull = state.pull(number)
    resource = "PullRequestReviewComment"
    body = require_fields(request, {"body": str}, resource)
    if body.get("in_reply_to"):
        return reply_to(state, request, pull, body["in_reply_to"], body["body"])
    require_fields(request, {"commit_id": str, "path": str}, resource)
    try:
        commit = _validate_commit(state, pull, body["commit_id"])
    except GitHubErrorResponse as error:
        message = error.response.body["errors"][0]
        raise invalid_field(resource, "commit_id", message) from error
    changes = state.bare.changes(pull.base_sha, commit)
    errors = _find_errors(body, changes)
    if errors:
        raise invalid_field(resource, LINE_FIELD, " and ".join(errors))
    review = add_review(state, pull, request.login, "", commit)
    comment = _add_review_comment(state, review, body, changes)
    return ApiResponse(201, review_comment_json(state, comment))
