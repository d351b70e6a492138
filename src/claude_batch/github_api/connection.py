"""PyGithub with one repository: its session, its pages and its errors, and pauses between writes.

Addresses, request bodies and paging are PyGithub's. Our schemas read the answers from `raw_data`:
a property of PyGithub's objects is None where a field is missing, and costs a request for each
comment of a list that leaves one out. docs/decisions.md has the measurements.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from claude_batch.environment_checks import check_network, check_web_address, github_token
from claude_batch.errors import CannotPublish
from claude_batch.github_api.errors import Operation, translate_errors
from claude_batch.github_api.retry import build_retry
from claude_batch.github_api.traffic import Traffic, count_requests

if TYPE_CHECKING:
    from github import Github
    from github.Repository import Repository

API_VERSION = "2022-11-28"
DEFAULT_URL = "https://api.github.com"
TIMEOUT = 30  # seconds
PAGE_SIZE = 100
NOT_AUTHENTICATED = "there is no token for GitHub: neither GITHUB_TOKEN nor GH_TOKEN is set"


class ListItem:
    """An item of a PaginatedList, without the properties that fetch missing fields."""

    def __init__(self, _requester: object, _headers: object, fields: Any) -> None:
        self.fields = fields


class RepositoryConnection:
    def __init__(
        self,
        environ: Mapping[str, str],
        repository: str,
        *,
        sleep: Callable[[float], None],
        pause_between_writes: float = 1.0,
        timeout: int = TIMEOUT,
    ) -> None:
        self._environ = environ
        self._url = (environ.get("GITHUB_API_URL") or DEFAULT_URL).rstrip("/")
        self._name = repository
        self._sleep = sleep
        self._pause = pause_between_writes
        self._timeout = timeout  # seconds without a byte
        self._traffic = Traffic()
        self._has_written = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Idempotent. The next call connects anew."""
        if "_github" in self.__dict__:
            self._github.close()
            del self.__dict__["_github"]

    @property
    def requests_made(self) -> int:
        """The requests of this client so far, repeated ones and GraphQL included."""
        return self._traffic.made

    @property
    def remaining(self) -> int | None:
        """The requests that the token has left this hour. None: GitHub did not tell."""
        return self._traffic.remaining

    @cached_property
    def _github(self) -> "Github":
        token = github_token(self._environ)
        if not token:
            remedy = "set GITHUB_TOKEN, in a workflow with `GITHUB_TOKEN: ${{ github.token }}`"
            raise CannotPublish(NOT_AUTHENTICATED, remedy)
        check_web_address("GITHUB_API_URL", self._url)
        check_network(self._environ)
        from github import Auth, Github

        # On import it adds a handler that prints each refusal on stderr. Our error says the same.
        logging.getLogger("github").handlers = [logging.NullHandler()]
        count_requests()
        return Github(
            auth=Auth.Token(token),
            base_url=self._url,
            timeout=self._timeout,
            per_page=PAGE_SIZE,
            retry=build_retry(self._sleep, self._traffic),
            # PyGithub's own pauses cannot be handed another `sleep`.
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,  # else every object on the way to the one that is wanted costs a request
            api_version=API_VERSION,
        )

    @property
    def _repository(self) -> "Repository":
        """A new object each time, so that `raw_data` is fetched each time."""
        return self._github.get_repo(self._name)

    def _request(self, method: str, path: str, fields: dict[str, str] | None = None) -> Any:
        """The body of the answer, for what PyGithub has no method that fits."""
        path = f"/repos/{self._name}{path}"
        return self._github.requester.requestJsonAndCheck(method, path, input=fields)[1]

    def _list(self, path: str, key: str = "items", **query: str) -> list[Any]:
        """The items of all pages. `key` holds the list where the answer is an object."""
        from github.PaginatedList import PaginatedList

        requester = self._github.requester
        items = PaginatedList[Any](
            ListItem, requester, f"/repos/{self._name}{path}", dict(query), list_item=key
        )
        return [item.fields for item in items]

    def _pause_before_write(self) -> None:
        if self._has_written:
            self._sleep(self._pause)
        self._has_written = True

    def _reading(self, action: str, permission: str) -> AbstractContextManager[None]:
        self._traffic.start_operation()
        return translate_errors(Operation(f"cannot {action}", permission), self._url)

    def _writing(
        self, action: str, permission: str, *, is_review: bool = False
    ) -> AbstractContextManager[None]:
        self._pause_before_write()
        self._traffic.start_operation()
        operation = Operation(f"cannot {action}", permission, writes=True, is_review=is_review)
        return translate_errors(operation, self._url)
