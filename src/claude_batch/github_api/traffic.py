"""Count the requests of one client, and end the loops that a broken server would keep going."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from github.Requester import RequestsResponse

# Of one operation, such as a list with all of its pages.
MAX_REQUESTS = 1000
MAX_REPEATS = 5  # of one read: PyGithub repeats it after a 202 and follows any link to a next page


class TooManyRequests(RuntimeError):
    """One operation took more requests than any server of GitHub needs."""


@dataclass
class Traffic:
    """`made`: all requests, repeated ones and GraphQL included.

    `remaining`: how many requests to the REST API the token has left this hour, by GitHub's last
    answer. None: no answer told it.
    """

    made: int = 0
    remaining: int | None = None
    _operation: Counter[tuple[str, str]] = field(default_factory=Counter, repr=False)

    def start_operation(self) -> None:
        self._operation.clear()

    def count(self, method: str, url: str) -> None:
        """Count a request before it is sent. Raises TooManyRequests."""
        self.made += 1
        self._operation[method, url] += 1
        is_repeated = method == "GET" and self._operation[method, url] > MAX_REPEATS
        if is_repeated or self._operation.total() > MAX_REQUESTS:
            raise TooManyRequests(f"{method} {url} has no end")

    def read(self, headers: Mapping[str, str]) -> None:
        """Read the rate limit from the headers of a response. GraphQL has another limit."""
        remaining = headers.get("x-ratelimit-remaining", "")
        if remaining.isdecimal() and headers.get("x-ratelimit-resource", "core") == "core":
            self.remaining = int(remaining)


@cache
def count_requests() -> None:
    """Have PyGithub's connections count in the `traffic` of their retry policy."""
    from github.Requester import (
        HTTPRequestsConnectionClass,
        HTTPSRequestsConnectionClass,
        Requester,
    )

    class CountingConnection:
        """Mixed into both classes of PyGithub."""

        verb: str
        url: str
        retry: Any

        def getresponse(self) -> "RequestsResponse":
            traffic: Traffic = getattr(self.retry, "traffic", None) or Traffic()
            traffic.count(self.verb, self.url)
            response: RequestsResponse = super().getresponse()  # type: ignore[misc]
            traffic.read({name.lower(): value for name, value in response.getheaders()})
            return response

    class HttpConnection(CountingConnection, HTTPRequestsConnectionClass):
        pass

    class HttpsConnection(CountingConnection, HTTPSRequestsConnectionClass):
        pass

    Requester.injectConnectionClasses(HttpConnection, HttpsConnection)
