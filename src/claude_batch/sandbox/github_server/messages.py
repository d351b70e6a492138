"""HTTP messages of the GitHub test server: requests, replies, refusals, pages."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from claude_batch.sandbox.http_messages import HttpRequest, HttpResponse

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
class ApiRequest:
    """One API request; `path` has no query and no /api/v3 before it."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any  # JSON
    account: Account | None


@dataclass(frozen=True, slots=True)
class ApiResponse:
    status: int
    body: Any = None  # JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> HttpResponse:
        if self.body is None:
            return HttpResponse(self.status, headers=self.headers)
        headers = {"Content-Type": "application/json; charset=utf-8", **self.headers}
        return HttpResponse(self.status, json.dumps(self.body).encode(), headers)


class GitHubErrorResponse(Exception):
    """An answer that is an error."""

    def __init__(self, response: ApiResponse) -> None:
        super().__init__(response.body["message"])
        self.response = response


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
    incoming: ApiRequest, required: Mapping[str, type], resource: str
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


def paginate(
    incoming: ApiRequest, items: Sequence[Any], base_url: str, key: str = ""
) -> ApiResponse:
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


def find_token(request: HttpRequest) -> str | None:
    """Return the token of `token X`, of `Bearer X`, or the password of basic authentication."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("token", "bearer"):
        return value.strip() or None
    if scheme.lower() != "basic":
        return None
    try:
        credentials = base64.b64decode(value).decode("utf-8", "replace")
    except ValueError:
        return None
    user, _, password = credentials.partition(":")
    return password or user or None
