"""Requests, responses and errors of the GitHub test server's API."""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from claude_batch.sandbox.http_messages import HttpRequest, HttpResponse

DOCS = "https://docs.github.com/rest"
WRITES = frozenset({"contents", "pull_requests", "issues", "checks"})
ACTIONS_BOT = "github-actions[bot]"
PER_PAGE = 30
MAX_PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Account:
    """The owner of a token, and the token's write permissions.

    A login that ends in [bot] is an app's. `GET /user` refuses it.
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

    @property
    def login(self) -> str:
        return self.account.login if self.account else "ghost"


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
    """A response with an error status."""

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
    request: ApiRequest, required: Mapping[str, type], resource: str
) -> dict[str, Any]:
    """Return the body, an object with these fields. Raises GitHubErrorResponse."""
    if not isinstance(request.body, dict):
        raise error_response(400, "Problems parsing JSON")
    for name, kind in required.items():
        if name not in request.body:
            raise invalid_field(resource, name, f"{name} wasn't supplied", "missing_field")
        if not isinstance(request.body[name], kind):
            raise invalid_field(resource, name, f"{name} is not a {kind.__name__}", "invalid")
    return request.body


def paginate(
    request: ApiRequest, items: Sequence[Any], base_url: str, key: str = ""
) -> ApiResponse:
    """Return one page of `items` with GitHub's Link header.

    The body is a list, or with `key` an object with the list and the total count.
    """
    size = _parse_number(request.query.get("per_page"), PER_PAGE, MAX_PER_PAGE)
    number = _parse_number(request.query.get("page"), 1, 1_000_000)
    last = max(1, -(-len(items) // size))
    pages: dict[str, int] = {}
    if number > 1:
        pages |= {"prev": number - 1, "first": 1}
    if number < last:
        pages |= {"next": number + 1, "last": last}
    query = "".join(f"{k}={v}&" for k, v in request.query.items() if k not in ("page", "per_page"))
    links = ", ".join(
        f'<{base_url}{request.path}?{query}per_page={size}&page={page}>; rel="{name}"'
        for name, page in pages.items()
    )
    page_items = list(items[(number - 1) * size : number * size])
    body = {"total_count": len(items), key: page_items} if key else page_items
    return ApiResponse(200, body, {"Link": links} if links else {})


def _parse_number(text: str | None, default: int, maximum: int) -> int:
    return min(int(text), maximum) if text and text.isdigit() and int(text) else default


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: re.Pattern[str]
    endpoint: Callable[..., ApiResponse]  # (state, request, a str for each group of the path)
    permissions: tuple[str, ...]  # one of these is needed; none for reading


def route(target: str, endpoint: Callable[..., ApiResponse], *permissions: str) -> Route:
    """Return the route of `METHOD /path`.

    In the path `#` stands for a number, `*` for one segment and `**` for the rest.
    """
    method, path = target.split()
    pattern = path.replace("**", "(.+)").replace("/*", "/([^/]+)").replace("#", "([0-9]{1,15})")
    return Route(method, re.compile(pattern), endpoint, permissions)


def dispatch(routes: Sequence[Route], path: str, state: object, request: ApiRequest) -> ApiResponse:
    """Call the endpoint of the first route that matches. Raises GitHubErrorResponse."""
    held = request.account.can_write if request.account else frozenset()
    for candidate in routes:
        match = candidate.path.fullmatch(path)
        if match and candidate.method == request.method:
            if candidate.permissions and not held.intersection(candidate.permissions):
                raise forbidden()
            return candidate.endpoint(state, request, *match.groups())
    raise not_found()


def find_token(request: HttpRequest) -> str | None:
    """Return the token of `token X` or `Bearer X`, or the password of basic authentication."""
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


def parse_json(body: object) -> Any:
    """Return None for a body that is streamed, empty or not JSON."""
    try:
        return json.loads(body) if isinstance(body, bytes) and body else None
    except ValueError:
        return None
