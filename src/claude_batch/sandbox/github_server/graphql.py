"""The two GraphQL documents of which the look-alike knows the shape: threads, and resolving one.

GraphQL answers 200 also where it refuses, with a list of errors beside `data`.
"""

import re
from typing import Any

from claude_batch.sandbox.github_server.messages import ApiRequest, ApiResponse, require_fields
from claude_batch.sandbox.github_server.serializers import Json, node
from claude_batch.sandbox.github_server.state import GitHubState, PullRecord, ReviewComment
from claude_batch.sandbox.github_server.threads import resolve

NAME = r"\w*"

THREADS = (
    rf"query {NAME}\(\$owner:String!,\$name:String!,\$number:Int!,\$after:String\)"
    r"{repository\(owner:\$owner,name:\$name\){pullRequest\(number:\$number\)"
    r"{reviewThreads\(first:(?P<first>\d+),after:\$after\){pageInfo{hasNextPage endCursor}"
    r"nodes{id isResolved resolvedBy{login}comments\(first:1\){nodes{databaseId}}}}}}}"
)

RESOLVE = (
    rf"mutation {NAME}\(\$thread:ID!\)"
    r"{resolveReviewThread\(input:{threadId:\$thread}\){thread{isResolved}}}"
)

MOST = 100  # nodes of one page

# With the token of a workflow or of an app the mutation needs both.
# https://github.com/github/gh-aw/issues/35726
RESOLVING = frozenset({"contents", "pull_requests"})


def answer(desk: GitHubState, incoming: ApiRequest) -> ApiResponse:
    body = require_fields(incoming, {"query": str}, "GraphQL")
    document = _plain(body["query"])
    variables = body.get("variables") or {}
    if found := re.fullmatch(THREADS, document):
        return _threads(desk, variables, int(found["first"]))
    if re.fullmatch(RESOLVE, document):
        return _resolve(desk, incoming, variables)
    return _refused("undefinedField", "The look-alike knows two documents, and not this one")


def _plain(document: str) -> str:
    """Without the blanks that mean nothing."""
    return re.sub(r"\s*([{}():,$!])\s*", r"\1", " ".join(document.split()))


def _refused(kind: str, message: str) -> ApiResponse:
    return ApiResponse(200, {"data": None, "errors": [{"type": kind, "message": message}]})


def _threads(desk: GitHubState, variables: Json, first: int) -> ApiResponse:
    number = variables.get("number")
    home = f"{variables.get('owner')}/{variables.get('name')}"
    pull = desk.pulls.get(number) if isinstance(number, int) else None
    if pull is None or home.lower() != desk.repository.lower():
        return _refused("NOT_FOUND", f"Could not resolve to a PullRequest with the number {number}")
    if not 1 <= first <= MOST:
        return _refused("EXCESSIVE_PAGINATION", f"`first` must be between 1 and {MOST}")
    return ApiResponse(
        200,
        {
            "data": {
                "repository": {
                    "pullRequest": {
                        "reviewThreads": _page(desk, pull, first, variables.get("after"))
                    }
                }
            }
        },
    )


def _page(desk: GitHubState, pull: PullRecord, size: int, after: Any) -> Json:
    """A cursor is the id of the last comment shown."""
    begun = [
        each
        for each in desk.review_comments.values()
        if each.pull == pull.number and each.in_reply_to is None and each.id > int(after or 0)
    ]
    shown = begun[:size]
    info = {
        "hasNextPage": len(begun) > size,
        "endCursor": str(shown[-1].id) if shown else None,
    }
    return {"pageInfo": info, "nodes": [_thread(desk, each) for each in shown]}


def _thread(desk: GitHubState, first: ReviewComment) -> Json:
    """An app's login has no [bot] here. https://github.com/getsentry/junior/pull/1623"""
    by = desk.resolved.get(first.id)
    return {
        "id": node("Thread", first.id),
        "isResolved": by is not None,
        "resolvedBy": {"login": by.removesuffix("[bot]")} if by else None,
        "comments": {"nodes": [{"databaseId": first.id}]},
    }


def _resolve(desk: GitHubState, incoming: ApiRequest, variables: Json) -> ApiResponse:
    account = incoming.account
    if account is None or not account.can_write >= RESOLVING:
        return _refused("FORBIDDEN", "Resource not accessible by integration")
    named = {node("Thread", each.id): each for each in desk.review_comments.values()}
    first = named.get(str(variables.get("thread")))
    if first is None or first.in_reply_to is not None:
        return _refused("NOT_FOUND", "Could not resolve to a node with the global id")
    resolve(desk, first.id, account.login)
    return ApiResponse(200, {"data": {"resolveReviewThread": {"thread": {"isResolved": True}}}})
