"""HTTP messages of the GitHub test server: requests, replies, refusals, pages."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DOCS = "https://docs.github.com/rest"
WRITES = frozenset({"contents", "pull_requests", "issues", "checks"})
ACTIONS_BOT = "github-actions[bot]"
PER_PAGE = 30
MOST_PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Account:
    """The owner of a token, and the permissions with which it may write.

    An account whose name ends in [bot] is an installation: `GET /user` refuses it.
    """

    login: str
    can_write: frozenset[str] = WRITES

    @property
    def is_bot(self) -> bool:
        return self.login.endswith("[bot]")


@dataclass(frozen=True, slots=True)
class Incoming:
    """One API request; `path` has no query and no /api/v3 before it."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any  # JSON
    account: Account | None


@dataclass(frozen=True, slots=True)
class ApiResponse:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request with what was answered. Git transport is logged without bodies."""

    method: str
    path: str
    body: Any
    status: int
    query: str = ""
    answer: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)  # without the token


@dataclass(frozen=True, slots=True)
class Trouble:
    """An answer that the request does not deserve. `after`: it is carried out all the same."""

    reply: ApiResponse
    after: bool = False


Fault = Callable[[Incoming], Trouble | None]


class GitHubErrorResponse(Exception):
    """An answer that is an error."""

    def __init__(self, reply: ApiResponse) -> None:
        super().__init__(reply.body["message"])
        self.reply = reply


def error_response(
    status: int, message: str, errors: Sequence[Any] | None = None
) -> GitHubErrorResponse:
    body: dict[str, Any] = {"message": message, "documentation_url": DOCS, "status": str(status)}
    if errors is not None:
        body["errors"] = list(errors)
    return GitHubErrorResponse(ApiResponse(status, body))


def not_found() -> GitHubErrorResponse:
    return error_response(404, "Not Found")


def forbidden() -> GitHubErrorResponse:
    return error_response(403, "Resource not accessible by integration")


def invalid_field(
    resource: str, field_name: str, message: str, code: str = "custom"
) -> GitHubErrorResponse:
    error = {"resource": resource, "code": code, "field": field_name, "message": message}
    return error_response(422, "Validation Failed", [error])


def unprocessable(*errors: str) -> GitHubErrorResponse:
    return error_response(422, "Unprocessable Entity", errors)


def require_fields(
    incoming: Incoming, required: Mapping[str, type], resource: str
) -> dict[str, Any]:
    """The body as an object that has these fields."""
    if not isinstance(incoming.body, dict):
        raise error_response(400, "Problems parsing JSON")
    for name, kind in required.items():
        if name not in incoming.body:
            raise invalid_field(resource, name, f"{name} wasn't supplied", "missing_field")
        if not isinstance(incoming.body[name], kind):
            raise invalid_field(resource, name, f"{name} is not a {kind.__name__}", "invalid")
    return incoming.body


def paginate(incoming: Incoming, items: Sequence[Any], base_url: str, key: str = "") -> ApiResponse:
    """One page of `items` with GitHub's Link header; under `key` with a count where it has one."""
    size = _whole(incoming.query.get("per_page"), PER_PAGE, MOST_PER_PAGE)
    number = _whole(incoming.query.get("page"), 1, 1_000_000)
    last = max(1, -(-len(items) // size))
    shown = list(items[(number - 1) * size : number * size])
    targets = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
    if number <= 1:
        targets = {name: at for name, at in targets.items() if name not in ("prev", "first")}
    if number >= last:
        targets = {name: at for name, at in targets.items() if name not in ("next", "last")}
    kept = "".join(f"{k}={v}&" for k, v in incoming.query.items() if k not in ("page", "per_page"))
    links = ", ".join(
        f'<{base_url}{incoming.path}?{kept}per_page={size}&page={at}>; rel="{name}"'
        for name, at in targets.items()
    )
    body = {"total_count": len(items), key: shown} if key else shown
    return ApiResponse(200, body, {"Link": links} if links else {})


def _whole(text: str | None, default: int, most: int) -> int:
    return min(int(text), most) if text and text.isdigit() and int(text) else default
