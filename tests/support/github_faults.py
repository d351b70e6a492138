"""Troubles to order, for tests of what a client does when GitHub is not well."""

import re
import threading

from claude_batch.sandbox.github_server.messages import DOCS, ApiResponse, Incoming, Trouble


def _said(message: str) -> dict[str, str]:
    return {"message": message, "documentation_url": DOCS}


SECONDARY = (
    "You have exceeded a secondary rate limit and have been temporarily blocked from content "
    "creation. Please retry your request again later."
)


def bad_gateway(*, after: bool) -> Trouble:
    """`after`: what was asked for is done all the same, as GitHub has been seen to do."""
    return Trouble(ApiResponse(502, _said("Server Error")), after)


def secondary_limit(retry_after: int | None, status: int = 403) -> Trouble:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Trouble(ApiResponse(status, _said(SECONDARY), headers))


def expired_token() -> Trouble:
    return Trouble(ApiResponse(401, _said("Bad credentials")))


class Script:
    """Troubles for chosen requests, each used up after so many times. A `Fault`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[list[tuple[str, re.Pattern[str], Trouble]]] = []

    def expect(self, method: str, path: str, trouble: Trouble, times: int = 1) -> "Script":
        """`path` is a regular expression that is searched in the request's path."""
        with self._lock:
            self._waiting.append([(method, re.compile(path), trouble)] * times)
        return self

    def __call__(self, incoming: Incoming) -> Trouble | None:
        with self._lock:
            for waiting in self._waiting:
                method, path, trouble = waiting[0] if waiting else ("", re.compile("$^"), None)
                if trouble and incoming.method == method and path.search(incoming.path):
                    waiting.pop()
                    return trouble
        return None
