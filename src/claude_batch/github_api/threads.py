"""Review threads, over GraphQL: GitHub's REST API does not know threads."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from claude_batch.errors import ThreadsRefused
from claude_batch.github_api.errors import parse_exception
from claude_batch.github_api.models import ReviewThread, ThreadPageResponse

if TYPE_CHECKING:
    from github.Requester import Requester

# With cursors: a page has at most 100 threads.
THREADS = """
query Threads($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { id isResolved resolvedBy { login } comments(first: 1) { nodes { databaseId } } }
      }
    }
  }
}
"""

RESOLVE = """
mutation Resolve($thread: ID!) {
  resolveReviewThread(input: {threadId: $thread}) { thread { isResolved } }
}
"""


def list_threads(requester: "Requester", repository: str, number: int) -> list[ReviewThread]:
    owner, _, name = repository.partition("/")
    variables: dict[str, Any] = {"owner": owner, "name": name, "number": number}
    threads: list[ReviewThread] = []
    cursors: list[str | None] = [None]
    while cursors[-1] not in cursors[:-1]:  # a page that was read already ends the list
        data = _query(requester, THREADS, variables | {"after": cursors[-1]})
        response = data["repository"]["pullRequest"]["reviewThreads"]
        page = ThreadPageResponse.model_validate(response)
        threads += [node.to_thread() for node in page.nodes]
        if not page.has_next:
            break
        cursors.append(page.cursor)
    return threads


def resolve_thread(requester: "Requester", thread_id: str) -> None:
    _query(requester, RESOLVE, {"thread": thread_id})


def _query(requester: "Requester", document: str, variables: Mapping[str, Any]) -> Any:
    # PyGithub knows the path of GraphQL on GitHub Enterprise Server.
    return requester.graphql_query(document, dict(variables))[1]["data"]


@contextmanager
def translate_graphql_errors(action: str) -> Iterator[None]:
    """Raise ThreadsRefused for a refusal and for an answer without the data."""
    from github import GithubException

    try:
        yield
    # GraphQL refuses with 200 and a list of errors, which PyGithub raises as a 400 or a 404.
    except (GithubException, ValidationError, KeyError, TypeError) as error:
        reason = "it is not there"
        if isinstance(error, GithubException):
            reason = parse_exception(error).message
        # With a workflow's token, resolving needs a permission that is about files.
        raise ThreadsRefused(
            f"cannot {action}: {reason}",
            "add `contents: write` and `pull-requests: write` under `permissions:`",
        ) from error
