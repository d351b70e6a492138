"""Which endpoint answers which request, and what it takes to be allowed to ask."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from claude_batch.sandbox.github_server import checks, comments, graphql, pulls, repository, threads
from claude_batch.sandbox.github_server.messages import (
    ApiRequest,
    ApiResponse,
    forbidden,
    not_found,
)
from claude_batch.sandbox.github_server.state import GitHubState

TALK = ("pull_requests", "issues")


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: re.Pattern[str]
    endpoint: Callable[..., ApiResponse]  # (desk, incoming, and a str for each group of the path)
    writes: tuple[str, ...] = ()  # one of these permissions is needed


def _route(row: str, endpoint: Callable[..., ApiResponse], *writes: str) -> Route:
    """`*` is one segment of a path, a number where GitHub has one; `**` is the rest of it."""
    method, path = row.split()
    pattern = (
        path.replace("**", r"(.+)").replace("/*", r"/([^/]+)").replace("/#", r"/([0-9]{1,15})")
    )
    return Route(method, re.compile(pattern), endpoint, writes)


EVERYWHERE = (
    _route("GET /user", repository.user),
    _route("GET /rate_limit", repository.rate_limit),
    _route("POST /graphql", graphql.answer),
)

IN_REPOSITORY = (
    _route("GET /", repository.get),
    _route("GET /collaborators/*/permission", repository.permission),
    _route("GET /pulls", pulls.listing),
    _route("POST /pulls", pulls.create, "pull_requests"),
    _route("GET /pulls/#", pulls.get),
    _route("PATCH /pulls/#", pulls.edit, "pull_requests"),
    _route("GET /pulls/#/files", pulls.files),
    _route("GET /pulls/#/commits", pulls.commits),
    _route("GET /pulls/#/reviews", comments.list_reviews),
    _route("POST /pulls/#/reviews", comments.create_review, "pull_requests"),
    _route("GET /pulls/#/comments", comments.list_remarks),
    _route("POST /pulls/#/comments", comments.create_remark, "pull_requests"),
    _route("POST /pulls/#/comments/#/replies", comments.reply_to_remark, "pull_requests"),
    _route("GET /pulls/comments/#", comments.get_remark),
    _route("PATCH /pulls/comments/#", comments.edit_remark, "pull_requests"),
    _route("GET /pulls/comments/#/reactions", threads.reactions),
    _route("GET /issues/#/comments", comments.list_comments),
    _route("POST /issues/#/comments", comments.create_comment, *TALK),
    _route("GET /issues/comments/#", comments.get_comment),
    _route("PATCH /issues/comments/#", comments.edit_comment, *TALK),
    _route("POST /check-runs", checks.create, "checks"),
    _route("GET /check-runs/#", checks.get),
    _route("PATCH /check-runs/#", checks.edit, "checks"),
    _route("GET /check-runs/#/annotations", checks.annotations),
    _route("GET /commits/**/check-runs", checks.on_commit),
    _route("GET /commits/**", repository.commit),
    _route("GET /compare/**", repository.compare),
    _route("GET /contents/**", repository.contents),
    _route("GET /git/ref/**", repository.get_ref),
    _route("GET /git/matching-refs/**", repository.matching_refs),
    _route("POST /git/refs", repository.create_ref, "contents"),
    _route("PATCH /git/refs/**", repository.edit_ref, "contents"),
    _route("DELETE /git/refs/**", repository.delete_ref, "contents"),
)


def answer(desk: GitHubState, incoming: ApiRequest) -> ApiResponse:
    """Raises GitHubErrorResponse."""
    home = f"/repos/{desk.repository}"
    inside = incoming.path.lower().startswith(home.lower())
    path = (incoming.path[len(home) :] or "/") if inside else incoming.path
    for route in IN_REPOSITORY if inside else EVERYWHERE:
        found = route.path.fullmatch(path)
        if route.method == incoming.method and found:
            _admit(route, incoming)
            return route.endpoint(desk, incoming, *found.groups())
    raise not_found()


def _admit(route: Route, incoming: ApiRequest) -> None:
    held = incoming.account.can_write if incoming.account else frozenset()
    if route.writes and not held.intersection(route.writes):
        raise forbidden()
