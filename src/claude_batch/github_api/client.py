"""Client of GitHub's API for one repository."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal
from urllib.parse import quote

from pydantic import TypeAdapter

from claude_batch.github_api import threads
from claude_batch.github_api.connection import RepositoryConnection
from claude_batch.github_api.errors import suppress_statuses
from claude_batch.github_api.models import (
    CommentResponse,
    CompareResponse,
    DraftCheck,
    DraftComment,
    GitHubAccount,
    IdResponse,
    PermissionResponse,
    PullRequest,
    Reaction,
    ReactionResponse,
    RemoteComment,
    RepositoryResponse,
    ReviewThread,
)
from claude_batch.http_headers import parse_date

ACTIONS_BOT = "github-actions[bot]"
PULL_REQUESTS = TypeAdapter(list[PullRequest])
COMMENTS = TypeAdapter(list[CommentResponse])
REACTIONS = TypeAdapter(list[ReactionResponse])
CHECK_RUNS = TypeAdapter(list[IdResponse])
READ_PULLS, WRITE_PULLS = "pull-requests: read", "pull-requests: write"


class GitHubClient(RepositoryConnection):
    """Every method raises CannotPublish."""

    def get_login(self) -> str:
        """The account of the token."""
        with self._reading("read the account of the token", "metadata: read"):
            # The token of a workflow may not read /user.
            with suppress_statuses(403):
                return GitHubAccount.model_validate(self._github.get_user().raw_data).login
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
            return PullRequest.model_validate(self._repository.get_pull(number).raw_data)

    def list_open_pull_requests(self) -> list[PullRequest]:
        with self._reading("list the open pull requests", READ_PULLS):
            return PULL_REQUESTS.validate_python(self._list("/pulls", state="open"))

    def list_pull_requests_of_branch(
        self, branch: str, state: Literal["open", "all"] = "open"
    ) -> list[PullRequest]:
        """From a branch of this repository, newest first."""
        head = f"{self._name.split('/')[0]}:{branch}"
        with self._reading(f"list the pull requests of {branch}", READ_PULLS):
            return PULL_REQUESTS.validate_python(self._list("/pulls", state=state, head=head))

    def find_merge_base(self, base: str, head: str) -> str | None:
        """None: no common ancestor, or GitHub does not know one of the two."""
        with self._reading(f"compare {base} with {head}", "contents: read"):
            with suppress_statuses(404):
                # One commit a page: only the merge base is read.
                comparison = self._repository.compare(base, head, comparison_commits_per_page=1)
                return CompareResponse.model_validate(comparison.raw_data).merge_base
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
        with self._reading(f"list the reactions to {comment_id}", READ_PULLS):
            with suppress_statuses(404):
                fields = self._list(f"/pulls/comments/{comment_id}/reactions")
                responses = REACTIONS.validate_python(fields)
                return [response.to_reaction(comment_id) for response in responses]
            return []

    @cached_property
    def _write_access(self) -> dict[str, bool]:
        return {}

    def has_write_access(self, login: str) -> bool:
        """True if a person may write to the repository. Cached."""
        if login not in self._write_access:
            self._write_access[login] = self._get_permission(login) in ("write", "admin")
        return self._write_access[login]

    def _get_permission(self, login: str) -> str:
        """The permission; "none" for an unknown person or if the token may not read it."""
        # Not get_collaborator_permission(), which raises KeyError for an answer without the field.
        path = f"/collaborators/{quote(login, safe='')}/permission"
        with self._reading(f"read the rights of {login}", "metadata: read"):
            with suppress_statuses(403, 404):
                return PermissionResponse.model_validate(self._request("GET", path)).permission
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
            return PullRequest.model_validate(created.raw_data)

    def post_comment(self, number: int, body: str) -> RemoteComment:
        with self._writing(f"comment on {number}", WRITE_PULLS):
            comment = self._repository.get_issue(number).create_comment(body)
            return CommentResponse.model_validate(comment.raw_data).to_comment()

    def edit_comment(self, comment_id: int, body: str) -> None:
        self._edit_comment("issues", comment_id, body)

    def edit_review_comment(self, comment_id: int, body: str) -> None:
        self._edit_comment("pulls", comment_id, body)

    def _edit_comment(self, kind: str, comment_id: int, body: str) -> None:
        # PyGithub reaches a comment only through the number of its issue.
        with self._writing(f"edit comment {comment_id}", WRITE_PULLS):
            self._request("PATCH", f"/{kind}/comments/{comment_id}", {"body": body})

    def write_check_run(self, check: DraftCheck) -> int:
        """Update the check run of that name on that commit, or create it. Returns its id."""
        path = f"/commits/{check.head_sha}/check-runs"
        with self._reading(f"list the checks of {check.head_sha}", "checks: read"):
            runs = CHECK_RUNS.validate_python(self._list(path, "check_runs", check_name=check.name))
        latest_id = max((run.id for run in runs), default=None)
        fields: dict[str, Any] = {
            "name": check.name,
            "status": check.status,
            **({"conclusion": check.conclusion} if check.conclusion else {}),
            "output": {"title": check.title, "summary": check.summary},
        }
        with self._writing(f"write the check run {check.name!r}", "checks: write"):
            if latest_id is None:
                created = self._repository.create_check_run(head_sha=check.head_sha, **fields)
                return IdResponse.model_validate(created.raw_data).id
            with suppress_statuses(403):
                self._repository.get_check_run(latest_id).edit(**fields)
                return latest_id
            # Another identity made it, and only that one may change it.
            created = self._repository.create_check_run(head_sha=check.head_sha, **fields)
            return IdResponse.model_validate(created.raw_data).id


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
