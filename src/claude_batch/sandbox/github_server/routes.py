"""Which endpoint answers which request, and what it takes to be allowed to ask."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from claude_batch.sandbox.github_server import checks as hub_checks
from claude_batch.sandbox.github_server import comments as hub_talk
from claude_batch.sandbox.github_server import graphql as hub_graphql
from claude_batch.sandbox.github_server import pulls as hub_pulls
from claude_batch.sandbox.github_server import repository as hub_repository
from claude_batch.sandbox.github_server import threads as hub_threads
from claude_batch.sandbox.github_server.messages import ApiResponse, Incoming, forbidden, not_found
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
    _route("GET /user", hub_repository.user),
    _route("GET /rate_limit", hub_repository.rate_limit),
    _route("POST /graphql", hub_graphql.answer),
)

IN_REPOSITORY = (
    _route("GET /", hub_repository.get),
    _route("GET /collaborators/*/permission", hub_repository.permission),
    _route("GET /pulls", hub_pulls.listing),
    _route("POST /pulls", hub_pulls.create, "pull_requests"),
    _route("GET /pulls/#", hub_pulls.get),
    _route("PATCH /pulls/#", hub_pulls.edit, "pull_requests"),
    _route("GET /pulls/#/files", hub_pulls.files),
    _route("GET /pulls/#/commits", hub_pulls.commits),
    _route("GET /pulls/#/reviews", hub_talk.list_reviews),
    _route("POST /pulls/#/reviews", hub_talk.create_review, "pull_requests"),
    _route("GET /pulls/#/comments", hub_talk.list_remarks),
    _route("POST /pulls/#/comments", hub_talk.create_remark, "pull_requests"),
    _route("POST /pulls/#/comments/#/replies", hub_talk.reply_to_remark, "pull_requests"),
    _route("GET /pulls/comments/#", hub_talk.get_remark),
    _route("PATCH /pulls/comments/#", hub_talk.edit_remark, "pull_requests"),
    _route("GET /pulls/comments/#/reactions", hub_threads.reactions),
    _route("GET /issues/#/comments", hub_talk.list_comments),
    _route("POST /issues/#/comments", hub_talk.create_comment, *TALK),
    _route("GET /issues/comments/#", hub_talk.get_comment),
    _route("PATCH /issues/comments/#", hub_talk.edit_comment, *TALK),
    _route("POST /check-runs", hub_checks.create, "checks"),
    _route("GET /check-runs/#", hub_checks.get),
    _route("PATCH /check-runs/#", hub_checks.edit, "checks"),
    _route("GET /check-runs/#/annotations", hub_checks.annotations),
    _route("GET /commits/**/check-runs", hub_checks.on_commit),
    _route("GET /commits/**", hub_repository.commit),
    _route("GET /compare/**", hub_repository.compare),
    _route("GET /contents/**", hub_repository.contents),
    _route("GET /git/ref/**", hub_repository.get_ref),
    _route("GET /git/matching-refs/**", hub_repository.matching_refs),
    _route("POST /git/refs", hub_repository.create_ref, "contents"),
    _route("PATCH /git/refs/**", hub_repository.edit_ref, "contents"),
    _route("DELETE /git/refs/**", hub_repository.delete_ref, "contents"),
)


def answer(desk: GitHubState, incoming: Incoming) -> ApiResponse:
    """Raises Refused."""
    home = f"/repos/{desk.repository}"
    inside = incoming.path.lower().startswith(home.lower())
    path = (incoming.path[len(home) :] or "/") if inside else incoming.path
    for route in IN_REPOSITORY if inside else EVERYWHERE:
        found = route.path.fullmatch(path)
        if route.method == incoming.method and found:
            _admit(route, incoming)
            return route.endpoint(desk, incoming, *found.groups())
    raise not_found()


def _admit(route: Route, incoming: Incoming) -> None:
    held = incoming.account.can_write if incoming.account else frozenset()
    if route.writes and not held.intersection(route.writes):
        raise forbidden()
