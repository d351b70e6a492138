"""Client of GitHub's REST API for one repository.

Addresses, request bodies and paging are PyGithub's. Our schemas read the answers from `raw_data`:
a property of PyGithub's objects is None where a field is missing, and costs a request for each
comment of a list that leaves one out. docs/decisions.md has the measurements.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import quote

from pydantic import TypeAdapter

from claude_batch.errors import CannotPublish
from claude_batch.github_api import threads
from claude_batch.github_api.errors import Operation, parse_exception, translate_errors
from claude_batch.github_api.models import (
    DraftCheck,
    DraftComment,
    PullRequest,
    Reaction,
    RemoteComment,
    ReviewThread,
)
from claude_batch.github_api.retry import build_retry
from claude_batch.github_api.schemas import (
    CommentResponse,
    CompareResponse,
    IdResponse,
    PermissionResponse,
    PullRequestResponse,
    ReactionResponse,
    RepositoryResponse,
    UserResponse,
)
from claude_batch.http_headers import parse_date

if TYPE_CHECKING:
    from github import Github
    from github.Repository import Repository

API_VERSION = "2022-11-28"
DEFAULT_URL = "https://api.github.com"
TIMEOUT = 30  # seconds
PAGE_SIZE = 100
ACTIONS_BOT = "github-actions[bot]"
NOT_AUTHENTICATED = "GitHub cannot be asked: neither GITHUB_TOKEN nor GH_TOKEN is set"
PULL_REQUESTS = TypeAdapter(list[PullRequestResponse])
COMMENTS = TypeAdapter(list[CommentResponse])
REACTIONS = TypeAdapter(list[ReactionResponse])
CHECK_RUNS = TypeAdapter(list[IdResponse])
READ_PULLS, WRITE_PULLS = "pull-requests: read", "pull-requests: write"


class ListItem:
    """An item of a PaginatedList, without the properties that fetch missing fields."""

    def __init__(self, _requester: object, _headers: object, fields: Any) -> None:
        self.fields = fields


class GitHubClient:
    """One repository on GitHub. Every method raises CannotPublish."""

    def __init__(
        self,
        environ: Mapping[str, str],
        repository: str,
        *,
        sleep: Callable[[float], None],
        pause_between_writes: float = 1.0,
    ) -> None:
        self._token = environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or ""
        self._url = (environ.get("GITHUB_API_URL") or DEFAULT_URL).rstrip("/")
        self._name = repository
        self._sleep = sleep
        self._pause = pause_between_writes
        self._has_written = False
        self._write_access: dict[str, bool] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Idempotent. The next call connects anew."""
        if "_github" in self.__dict__:
            self._github.close()
            del self.__dict__["_github"]

    @cached_property
    def _github(self) -> "Github":
        if not self._token:
            remedy = "set GITHUB_TOKEN, in a workflow with `GITHUB_TOKEN: ${{ github.token }}`"
            raise CannotPublish(NOT_AUTHENTICATED, remedy)
        from github import Auth, Github

        # On import it adds a handler that prints each refusal on stderr. Our error says the same.
        logging.getLogger("github").handlers = [logging.NullHandler()]
        return Github(
            auth=Auth.Token(self._token),
            base_url=self._url,
            timeout=TIMEOUT,
            per_page=PAGE_SIZE,
            retry=build_retry(self._sleep),
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
        return translate_errors(Operation(f"cannot {action}", permission), self._url)

    def _writing(
        self, action: str, permission: str, *, is_review: bool = False
    ) -> AbstractContextManager[None]:
        self._pause_before_write()
        operation = Operation(f"cannot {action}", permission, writes=True, is_review=is_review)
        return translate_errors(operation, self._url)

    def get_login(self) -> str:
        """The account of the token."""
        from github import GithubException

        with self._reading("ask who the token belongs to", "metadata: read"):
            try:
                return UserResponse.model_validate(self._github.get_user().raw_data).login
            except GithubException as error:
                # The token of a workflow may not read /user.
                if error.status != 403 or parse_exception(error).is_rate_limit:
                    raise
                return ACTIONS_BOT

    def has_push_access(self) -> bool | None:
        """True if the token may push. None: GitHub does not report it."""
        with self._reading(f"read {self._name}", "metadata: read"):
            repository = RepositoryResponse.model_validate(self._repository.raw_data)
            return repository.permissions.get("push")

    def get_clock(self, now: Callable[[], datetime]) -> Callable[[], datetime]:
        """`now`, corrected by GitHub's clock: clocks of runners may be hours off."""
        with self._reading(f"read {self._name}", "metadata: read"):
            headers = self._repository.raw_headers
            date = parse_date({name: str(value) for name, value in headers.items()})
        offset = date - now() if date else timedelta()
        return lambda: now() + offset

    def get_pull_request(self, number: int) -> PullRequest:
        with self._reading(f"read pull request {number}", READ_PULLS):
            fields = self._repository.get_pull(number).raw_data
            return PullRequestResponse.model_validate(fields).to_pull_request()

    def list_open_pull_requests(self) -> list[PullRequest]:
        with self._reading("list the open pull requests", READ_PULLS):
            return self._list_pull_requests(state="open")

    def list_pull_requests_of_branch(
        self, branch: str, state: Literal["open", "all"] = "open"
    ) -> list[PullRequest]:
        """From a branch of this repository, newest first."""
        head = f"{self._name.split('/')[0]}:{branch}"
        with self._reading(f"list the pull requests of {branch}", READ_PULLS):
            return self._list_pull_requests(state=state, head=head)

    def _list_pull_requests(self, **query: str) -> list[PullRequest]:
        responses = PULL_REQUESTS.validate_python(self._list("/pulls", **query))
        return [response.to_pull_request() for response in responses]

    def find_merge_base(self, base: str, head: str) -> str | None:
        """None: no common ancestor, or GitHub does not know one of the two."""
        from github import GithubException

        with self._reading(f"compare {base} with {head}", "contents: read"):
            try:
                # One commit a page: only the merge base is read.
                comparison = self._repository.compare(base, head, comparison_commits_per_page=1)
                return CompareResponse.model_validate(comparison.raw_data).merge_base_commit.sha
            except GithubException as error:
                if error.status != 404:
                    raise
                return None

    def list_review_comments(self, number: int) -> list[RemoteComment]:
        with self._reading(f"list the review comments of {number}", READ_PULLS):
            return _to_comments(self._list_comments(f"/pulls/{number}/comments"))

    def list_comments(self, number: int) -> list[RemoteComment]:
        with self._reading(f"list the comments of {number}", READ_PULLS):
            return _to_comments(self._list_comments(f"/issues/{number}/comments"))

    def _list_comments(self, path: str) -> list[CommentResponse]:
        return COMMENTS.validate_python(self._list(path))

    def list_reactions(self, comment_id: int) -> list[Reaction]:
        """The reactions to a review comment; empty where a server does not know of reactions."""
        from github import GithubException

        with self._reading(f"list the reactions to {comment_id}", READ_PULLS):
            try:
                fields = self._list(f"/pulls/comments/{comment_id}/reactions")
            except GithubException as error:
                if error.status != 404:
                    raise
                return []
            responses = REACTIONS.validate_python(fields)
            return [response.to_reaction(comment_id) for response in responses]

    def has_write_access(self, login: str) -> bool:
        """True if a person may write to the repository. Cached."""
        if login not in self._write_access:
            self._write_access[login] = self._get_permission(login) in ("write", "admin")
        return self._write_access[login]

    def _get_permission(self, login: str) -> str:
        """The permission; "none" for an unknown person or if the token may not read it."""
        from github import GithubException

        # Not get_collaborator_permission(), which raises KeyError for an answer without the field.
        path = f"/repos/{self._name}/collaborators/{quote(login, safe='')}/permission"
        with self._reading(f"ask what {login} may do", "metadata: read"):
            try:
                fields = self._github.requester.requestJsonAndCheck("GET", path)[1]
                return PermissionResponse.model_validate(fields).permission
            except GithubException as error:
                if error.status not in (403, 404) or parse_exception(error).is_rate_limit:
                    raise
                return "none"

    def list_threads(self, number: int) -> list[ReviewThread]:
        """Raises ThreadsRefused: publishing does not depend on threads."""
        action = f"see which threads of {number} are resolved"
        with self._reading(action, WRITE_PULLS), threads.translate_graphql_errors(action):
            return threads.list_threads(self._github.requester, self._name, number)

    def resolve_thread(self, thread_id: str) -> None:
        """Idempotent. Raises ThreadsRefused."""
        action = "resolve a thread"
        with self._reading(action, WRITE_PULLS), threads.translate_graphql_errors(action):
            self._pause_before_write()
            threads.resolve_thread(self._github.requester, thread_id)

    def post_review(
        self, number: int, head: str, body: str, comments: Sequence[DraftComment]
    ) -> list[RemoteComment]:
        """Post a review in one request, all or nothing, and return its comments as they stand now.

        Raises ReviewRefused when at least one comment is at fault: nothing was posted then.
        """
        drafts: list[Any] = [_draft_fields(comment) for comment in comments]
        with self._writing(f"post the review of {number}", WRITE_PULLS, is_review=True):
            # Sent once: GitHub has answered 502 to a review that it had posted.
            # https://github.com/src-d/lookout/issues/264
            review = self._repository.get_pull(number).create_review(
                self._repository.get_commit(head), body, "COMMENT", drafts
            )
            review_id = IdResponse.model_validate(review.raw_data).id
        with self._reading(f"list the comments just posted on {number}", READ_PULLS):
            posted = self._list_comments(f"/pulls/{number}/comments")
            return _to_comments(
                comment for comment in posted if comment.pull_request_review_id == review_id
            )

    def create_pull_request(
        self, title: str, head: str, base: str, body: str, *, draft: bool
    ) -> PullRequest:
        with self._writing("open a pull request", WRITE_PULLS):
            created = self._repository.create_pull(base, head, title=title, body=body, draft=draft)
            return PullRequestResponse.model_validate(created.raw_data).to_pull_request()

    def post_comment(self, number: int, body: str) -> RemoteComment:
        with self._writing(f"comment on {number}", WRITE_PULLS):
            comment = self._repository.get_issue(number).create_comment(body)
            return CommentResponse.model_validate(comment.raw_data).to_comment()

    def edit_comment(self, comment_id: int, body: str) -> None:
        self._edit_comment(f"/issues/comments/{comment_id}", comment_id, body)

    def edit_review_comment(self, comment_id: int, body: str) -> None:
        self._edit_comment(f"/pulls/comments/{comment_id}", comment_id, body)

    def _edit_comment(self, path: str, comment_id: int, body: str) -> None:
        # PyGithub reaches a comment only through the number of its issue.
        with self._writing(f"edit comment {comment_id}", WRITE_PULLS):
            self._github.requester.requestJsonAndCheck(
                "PATCH", f"/repos/{self._name}{path}", input={"body": body}
            )

    def write_check_run(self, check: DraftCheck) -> int:
        """Update the check run of that name on that commit, or create it. Returns its id."""
        path = f"/commits/{check.head_sha}/check-runs"
        with self._reading(f"list the checks of {check.head_sha}", "checks: read"):
            runs = CHECK_RUNS.validate_python(self._list(path, "check_runs", check_name=check.name))
        latest_id = max((run.id for run in runs), default=None)
        fields: dict[str, Any] = {
            "name": check.name,
            "status": "completed",
            "conclusion": check.conclusion,
            "output": {"title": check.title, "summary": check.summary},
        }
        with self._writing(f"write the check run {check.name!r}", "checks: write"):
            if latest_id is None:
                created = self._repository.create_check_run(head_sha=check.head_sha, **fields)
                return IdResponse.model_validate(created.raw_data).id
            self._repository.get_check_run(latest_id).edit(**fields)
            return latest_id


def _to_comments(responses: Iterable[CommentResponse]) -> list[RemoteComment]:
    return [response.to_comment() for response in responses]


def _draft_fields(comment: DraftComment) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "path": comment.path,
        "body": comment.body,
        "side": str(comment.side),
        "line": comment.line,
    }
    # GitHub refuses a start line that is not before the line.
    if comment.first_line != comment.line:
        fields |= {"start_line": comment.first_line, "start_side": str(comment.side)}
    return fields
