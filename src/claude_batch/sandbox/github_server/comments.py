"""Review comments and issue comments: their JSON and their endpoints."""

from dataclasses import replace

from claude_batch.sandbox.github_server.comment_rules import find_body_errors
from claude_batch.sandbox.github_server.messages import (
    ApiRequest,
    ApiResponse,
    invalid_field,
    not_found,
    paginate,
    require_fields,
)
from claude_batch.sandbox.github_server.pulls import pull_api_url, pull_page_url
from claude_batch.sandbox.github_server.repository import Json, node_id, pick_fields, user_json
from claude_batch.sandbox.github_server.state import (
    CommentReaction,
    GitHubState,
    IssueComment,
    PullRecord,
    Review,
    ReviewComment,
)

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket")


def review_comment_json(state: GitHubState, comment: ReviewComment) -> Json:
    url = f"{state.api_url}/pulls/comments/{comment.id}"
    page = f"{pull_page_url(state, comment.pull)}#discussion_r{comment.id}"
    pull = pull_api_url(state, comment.pull)
    start, line = state.current_lines(comment)
    is_outdated = comment.line is not None and line is None
    links = {"self": url, "html": page, "pull_request": pull}
    fields: Json = {
        **pick_fields(comment, "id", "body", "path", "diff_hunk", "created_at", "updated_at"),
        "node_id": node_id("ReviewComment", comment.id),
        "pull_request_review_id": comment.review,
        "user": user_json(state, comment.login),
        # The commit follows the head until the comment is outdated.
        "commit_id": comment.commit_id if is_outdated else state.pulls[comment.pull].head_sha,
        "original_commit_id": comment.commit_id,
        "subject_type": "file" if comment.line is None else "line",
        "side": str(comment.side),
        "start_line": start,
        "original_start_line": comment.start_line,
        "start_side": None if comment.start_side is None else str(comment.start_side),
        "url": url,
        "html_url": page,
        "pull_request_url": pull,
        "_links": {name: {"href": link} for name, link in links.items()},
        "author_association": "NONE",
        "reactions": _count_reactions(state, comment.id, f"{url}/reactions"),
    }
    if comment.in_reply_to is not None:
        fields["in_reply_to_id"] = comment.in_reply_to
    if comment.line is not None:
        fields |= {"line": line, "original_line": comment.line}
    return fields


def _count_reactions(state: GitHubState, comment_id: int, url: str) -> Json:
    contents = [reaction.content for reaction in state.reactions.get(comment_id, ())]
    counts = {content: contents.count(content) for content in REACTIONS}
    return {"url": url, "total_count": len(contents), **counts}


def _reaction_json(state: GitHubState, reaction: CommentReaction) -> Json:
    return {
        **pick_fields(reaction, "id", "content", "created_at"),
        "node_id": node_id("Reaction", reaction.id),
        "user": user_json(state, reaction.login),
    }


def _issue_comment_json(state: GitHubState, comment: IssueComment) -> Json:
    issues = f"{state.api_url}/issues"
    return {
        **pick_fields(comment, "id", "body", "created_at", "updated_at"),
        "node_id": node_id("IssueComment", comment.id),
        "user": user_json(state, comment.login),
        "url": f"{issues}/comments/{comment.id}",
        "issue_url": f"{issues}/{comment.pull}",
        "html_url": f"{pull_page_url(state, comment.pull)}#issuecomment-{comment.id}",
        "author_association": "NONE",
        "performed_via_github_app": None,
    }


def _validate_body(body: str, resource: str) -> None:
    for error in find_body_errors(body):
        raise invalid_field(resource, "body", error)


def _parse_body(request: ApiRequest, resource: str) -> str:
    body: str = require_fields(request, {"body": str}, resource)["body"]
    _validate_body(body, resource)
    return body


def list_review_comments(state: GitHubState, request: ApiRequest, number: str) -> ApiResponse:
    pull = state.pull(number)
    comments = [
        review_comment_json(state, comment)
        for comment in state.review_comments.values()
        if comment.pull == pull.number and state.reviews[comment.review].state != "PENDING"
    ]
    return paginate(request, comments, state.url)


def get_review_comment(state: GitHubState, _: ApiRequest, comment_id: str) -> ApiResponse:
    return ApiResponse(200, review_comment_json(state, state.review_comment(comment_id)))


def edit_review_comment(state: GitHubState, request: ApiRequest, comment_id: str) -> ApiResponse:
    comment = state.review_comment(comment_id)
    comment.body = _parse_body(request, "PullRequestReviewComment")
    comment.updated_at, comment.edited = state.timestamp(), True
    return ApiResponse(200, review_comment_json(state, comment))


def create_reply(
    state: GitHubState, request: ApiRequest, number: str, comment_id: str
) -> ApiResponse:
    body = require_fields(request, {"body": str}, "PullRequestReviewComment")
    return reply_to(state, request, state.pull(number), int(comment_id), body["body"])


def reply_to(
    state: GitHubState, request: ApiRequest, pull: PullRecord, comment_id: int, body: str
) -> ApiResponse:
    first = state.review_comments.get(comment_id)
    if first is None or first.pull != pull.number:
        raise not_found()
    reply = add_reply(state, first, request.login, body)
    return ApiResponse(201, review_comment_json(state, reply))


def add_reply(state: GitHubState, first: ReviewComment, login: str, body: str) -> ReviewComment:
    """Add a reply to the thread of `first`. Raises GitHubErrorResponse."""
    _validate_body(body, "PullRequestReviewComment")
    review = add_review(state, state.pulls[first.pull], login, "", first.commit_id)
    reply = replace(
        first,
        id=state.next_id(),
        review=review.id,
        login=login,
        body=body,
        created_at=review.submitted_at,
        updated_at=review.submitted_at,
        in_reply_to=first.in_reply_to or first.id,
        edited=False,
    )
    state.review_comments[reply.id] = reply
    return reply


def add_review(state: GitHubState, pull: PullRecord, login: str, body: str, commit: str) -> Review:
    time = state.timestamp()
    review = Review(state.next_id(), pull.number, login, body, "COMMENTED", commit, time)
    state.reviews[review.id] = review
    return review


def list_reactions(state: GitHubState, request: ApiRequest, comment_id: str) -> ApiResponse:
    comment = state.review_comment(comment_id)
    content = request.query.get("content")
    reactions = [
        _reaction_json(state, reaction)
        for reaction in state.reactions.get(comment.id, ())
        if content in (None, reaction.content)
    ]
    return paginate(request, reactions, state.url)


def list_issue_comments(state: GitHubState, request: ApiRequest, number: str) -> ApiResponse:
    pull = state.pull(number)
    comments = [
        _issue_comment_json(state, comment)
        for comment in state.issue_comments.values()
        if comment.pull == pull.number
    ]
    return paginate(request, comments, state.url)


def create_issue_comment(state: GitHubState, request: ApiRequest, number: str) -> ApiResponse:
    pull, time = state.pull(number), state.timestamp()
    body = _parse_body(request, "IssueComment")
    comment = IssueComment(state.next_id(), pull.number, request.login, body, time, time)
    state.issue_comments[comment.id] = comment
    return ApiResponse(201, _issue_comment_json(state, comment))


def get_issue_comment(state: GitHubState, _: ApiRequest, comment_id: str) -> ApiResponse:
    return ApiResponse(200, _issue_comment_json(state, state.issue_comment(comment_id)))


def edit_issue_comment(state: GitHubState, request: ApiRequest, comment_id: str) -> ApiResponse:
    comment = state.issue_comment(comment_id)
    comment.body = _parse_body(request, "IssueComment")
    comment.updated_at, comment.edited = state.timestamp(), True
    return ApiResponse(200, _issue_comment_json(state, comment))
