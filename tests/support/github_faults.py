"""Faults of the GitHub server, for tests of clients and of whole commands."""

import re
import threading

from claude_batch.sandbox.github_server.messages import DOCS
from claude_batch.sandbox.http_messages import Fault, HttpRequest

SECONDARY_LIMIT = (
    "You have exceeded a secondary rate limit and have been temporarily blocked from content "
    "creation. Please retry your request again later."
)


def error_body(message: str) -> dict[str, str]:
    return {"message": message, "documentation_url": DOCS}


def bad_gateway(*, after: bool) -> Fault:
    """`after`: the request is carried out all the same, as GitHub has been seen to do."""
    return Fault(502, body=error_body("Server Error"), after=after)


def secondary_limit(retry_after: int | None, status: int = 403) -> Fault:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Fault(status, body=error_body(SECONDARY_LIMIT), headers=headers)


def primary_limit(status: int = 403) -> Fault:
    """The requests of the hour are used up, and the next hour is far away."""
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4102444800"}
    message = "API rate limit exceeded for installation ID 1."
    return Fault(status, body=error_body(message), headers=headers)


def expired_token() -> Fault:
    return Fault(401, body=error_body("Bad credentials"))


class Script:
    """Faults for chosen requests; each is used up after so many requests. A `FindFault`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[list[tuple[str, re.Pattern[str], Fault]]] = []

    def expect(self, method: str, path: str, fault: Fault, times: int = 1) -> "Script":
        """`path` is a regular expression that is searched in the request's path."""
        with self._lock:
            self._planned.append([(method, re.compile(path), fault)] * times)
        return self

    def __call__(self, request: HttpRequest) -> Fault | None:
        with self._lock:
            for planned in filter(None, self._planned):
                method, path, fault = planned[0]
                if request.method == method and path.search(request.path):
                    planned.pop()
                    return fault
        return None
