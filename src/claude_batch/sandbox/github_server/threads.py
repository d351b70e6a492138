"""Threads of review comments: reactions, and GraphQL for their resolution.

The server knows two GraphQL documents: the list of threads, and the resolution of one. GraphQL
answers an error with status 200 and a list of errors beside `data`.
"""

import re
from typing import Any

from claude_batch.sandbox.github_server.comments import REACTIONS
from claude_batch.sandbox.github_server.messages import (
    ApiRequest,
    ApiResponse,
    error_response,
    require_fields,
)
from claude_batch.sandbox.github_server.repository import Json, node_id
from claude_batch.sandbox.github_server.state import (
    CommentReaction,
    GitHubState,
    PullRecord,
    ReviewComment,
)

THREADS_QUERY = (
    r"query \w*\(\$owner:String!,\$name:String!,\$number:Int!,\$after:String\)"
    r"{repository\(owner:\$owner,name:\$name\){pullRequest\(number:\$number\)"
    r"{reviewThreads\(first:(?P<first>\d+),after:\$after\){pageInfo{hasNextPage endCursor}"
    r"nodes{id isResolved resolvedBy{login}comments\(first:1\){nodes{databaseId}}}}}}}"
)
RESOLVE_MUTATION = (
    r"mutation \w*\(\$thread:ID!\)"
    r"{resolveReviewThread\(input:{threadId:\$thread}\){thread{isResolved}}}"
)
MAX_NODES = 100  # of one page

# With the token of a workflow or of an app the mutation needs both.
# https://github.com/github/gh-aw/issues/35726
RESOLVE_PERMISSIONS = frozenset({"contents", "pull_requests"})


def answer_graphql(state: GitHubState, request: ApiRequest) -> ApiResponse:
    body = require_fields(request, {"query": str}, "GraphQL")
    document = _normalize(body["query"])
    variables = body.get("variables") or {}
    if match := re.fullmatch(THREADS_QUERY, document):
        return _list_threads(state, variables, int(match["first"]))
    if re.fullmatch(RESOLVE_MUTATION, document):
        return _resolve_thread(state, request, variables)
    return _graphql_error("undefinedField", "The test server does not know this document")


def _normalize(document: str) -> str:
    """Remove the spaces that have no meaning."""
    return re.sub(r"\s*([{}():,$!])\s*", r"\1", " ".join(document.split()))


def _graphql_error(kind: str, message: str) -> ApiResponse:
    return ApiResponse(200, {"data": None, "errors": [{"type": kind, "message": message}]})


def _list_threads(state: GitHubState, variables: Json, first: int) -> ApiResponse:
    number = variables.get("number")
    repository = f"{variables.get('owner')}/{variables.get('name')}"
    pull = state.pulls.get(number) if isinstance(number, int) else None
    if pull is None or repository.lower() != state.repository.lower():
        message = f"Could not resolve to a PullRequest with the number {number}"
        return _graphql_error("NOT_FOUND", message)
    if not 1 <= first <= MAX_NODES:
        message = f"`first` must be between 1 and {MAX_NODES}"
        return _graphql_error("EXCESSIVE_PAGINATION", message)
    threads = _page(state, pull, first, variables.get("after"))
    data = {"repository": {"pullRequest": {"reviewThreads": threads}}}
    return ApiResponse(200, {"data": data})


def _page(state: GitHubState, pull: PullRecord, size: int, after: Any) -> Json:
    """Return one page. A cursor is the id of the last comment on the page."""
    remaining = [
        comment
        for comment in state.review_comments.values()
        if comment.pull == pull.number
        and comment.in_reply_to is None
        and comment.id > int(after or 0)
    ]
    page = remaining[:size]
    cursor = str(page[-1].id) if page else None
    info = {"hasNextPage": len(remaining) > size, "endCursor": cursor}
    return {"pageInfo": info, "nodes": [_thread_json(state, comment) for comment in page]}


def _thread_json(state: GitHubState, first: ReviewComment) -> Json:
    resolver = state.resolved.get(first.id)
    return {
        "id": node_id("Thread", first.id),
        "isResolved": resolver is not None,
        # An app's login has no [bot] here. https://github.com/getsentry/junior/pull/1623
        "resolvedBy": {"login": resolver.removesuffix("[bot]")} if resolver else None,
        "comments": {"nodes": [{"databaseId": first.id}]},
    }


def _resolve_thread(state: GitHubState, request: ApiRequest, variables: Json) -> ApiResponse:
    account = request.account
    if account is None or not account.can_write >= RESOLVE_PERMISSIONS:
        return _graphql_error("FORBIDDEN", "Resource not accessible by integration")
    threads = {node_id("Thread", comment.id): comment for comment in state.review_comments.values()}
    first = threads.get(str(variables.get("thread")))
    if first is None or first.in_reply_to is not None:
        return _graphql_error("NOT_FOUND", "Could not resolve to a node with the global id")
    resolve(state, first.id, account.login)
    return ApiResponse(200, {"data": {"resolveReviewThread": {"thread": {"isResolved": True}}}})


def resolve(state: GitHubState, comment_id: int, login: str) -> None:
    """Resolve the thread of a comment, unless it is resolved already."""
    comment = state.review_comment(comment_id)
    state.resolved.setdefault(comment.in_reply_to or comment.id, login)


def react(state: GitHubState, comment_id: int, login: str, content: str) -> None:
    """Add a reaction, once for each account and content. Raises GitHubErrorResponse."""
    if content not in REACTIONS:
        raise error_response(422, "Validation Failed")
    reactions = state.reactions.setdefault(state.review_comment(comment_id).id, [])
    if (login, content) not in [(reaction.login, reaction.content) for reaction in reactions]:
        reactions.append(CommentReaction(state.next_id(), login, content, state.timestamp()))
