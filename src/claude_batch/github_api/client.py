"""GitHub's REST API, as far as a reviewer needs it.

Nothing that creates something is ever sent twice: the API has no key for that, and GitHub has
been seen to answer 502 to a review that it had posted. https://github.com/src-d/lookout/issues/264
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from claude_batch.errors import CannotPublish, ThreadsRefused
from claude_batch.github_api.errors import GitHubError, Operation, explain, error_text
from claude_batch.github_api.models import (
    DraftCheck,
    DraftComment,
    PullRequest,
    Reaction,
    RemoteComment,
    ReviewThread,
)
from claude_batch.github_api.schemas import (
    RESOLVE,
    THREADS,
    CommentAnswer,
    CompareAnswer,
    Identified,
    PermissionAnswer,
    PullAnswer,
    ReactionAnswer,
    RepositoryAnswer,
    ThreadsAnswer,
    UserAnswer,
)
from claude_batch.http_headers import date_of

if TYPE_CHECKING:
    from github import Github, GithubRetry
    from github.GithubException import GithubException

API_VERSION = "2022-11-28"
DEFAULT_URL = "https://api.github.com"
TIMEOUT = 30
LONGEST_WAIT = 120.0  # seconds; a longer rate limit is left to the next run
READS = frozenset({"GET", "HEAD"})
ACTIONS_BOT = "github-actions[bot]"
NOT_KNOWN = "GitHub cannot be asked: neither GITHUB_TOKEN nor GH_TOKEN is set"
NEXT_PAGE = re.compile(r'<([^>]+)>; rel="next"')
PULLS = TypeAdapter(list[PullAnswer])
COMMENTS = TypeAdapter(list[CommentAnswer])
REACTIONS = TypeAdapter(list[ReactionAnswer])


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
        self._wrote = False
        self._may_write: dict[str, bool] = {}

    def __enter__(self) -> "GitHubClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Twice is fine, and so is going on: the next call connects anew."""
        if "_github" in self.__dict__:
            self._github.close()
            del self.__dict__["_github"]

    @cached_property
    def _github(self) -> "Github":
        if not self._token:
            remedy = "set GITHUB_TOKEN, in a workflow with `GITHUB_TOKEN: ${{ github.token }}`"
            raise CannotPublish(NOT_KNOWN, remedy)
        from github import Auth, Github

        # It prints each refusal on stderr, by a handler that it adds when it is imported; all that
        # a person needs to know of one is in our error.
        logging.getLogger("github").handlers = [logging.NullHandler()]
        return Github(
            auth=Auth.Token(self._token),
            base_url=self._url,
            timeout=TIMEOUT,
            per_page=100,
            retry=_retry(self._sleep),
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
            api_version=API_VERSION,
        )

    def _ask(self, path: str, **query: str) -> tuple[Mapping[str, Any], Any]:
        """Headers and JSON. PyGithub's objects are not used: reading a field that an answer
        leaves out costs them a request, for every comment of a list."""
        return self._github.requester.requestJsonAndCheck("GET", path, parameters=query)

    def _list(self, path: str, key: str = "", **query: str) -> Iterator[Any]:
        """The entries of every page."""
        headers, data = self._ask(path, per_page="100", **query)
        yield from _entries(data, key)
        while following := NEXT_PAGE.search(str(headers.get("link", ""))):
            headers, data = self._ask(following[1])
            yield from _entries(data, key)

    def _before_writing(self) -> None:
        if self._wrote:
            self._sleep(self._pause)
        self._wrote = True

    def _send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        self._before_writing()
        return self._github.requester.requestJsonAndCheck(method, path, input=body)[1]

    def _at(self, path: str) -> str:
        return f"/repos/{self._name}{path}"

    def _asking(self, what: str, permission: str) -> AbstractContextManager[None]:
        return _translated(Operation(f"cannot {what}", permission), self._url)

    def _writing(self, what: str, permission: str) -> AbstractContextManager[None]:
        return _translated(Operation(f"cannot {what}", permission, writes=True), self._url)

    def get_login(self) -> str:
        """Who writes. The token of a workflow may not ask, and is github-actions[bot]."""
        from github import GithubException

        with self._asking("ask who the token belongs to", "metadata: read"):
            try:
                return UserAnswer.model_validate(self._ask("/user")[1]).login
            except GithubException as error:
                if error.status != 403 or _refused(error).is_rate_limit:
                    raise
                return ACTIONS_BOT

    def has_push_access(self) -> bool | None:
        """Whether the token may push. None: GitHub does not say."""
        with self._asking(f"read {self._name}", "metadata: read"):
            answer = RepositoryAnswer.model_validate(self._ask(self._at(""))[1])
            return answer.permissions.get("push")

    def get_clock(self, now: Callable[[], datetime]) -> Callable[[], datetime]:
        """`now`, set right by GitHub's clock: those of runners may be hours off."""
        with self._asking(f"read {self._name}", "metadata: read"):
            at = date_of(self._ask(self._at(""))[0])
        ahead = at - now() if at else timedelta()
        return lambda: now() + ahead

    def get_pull_request(self, number: int) -> PullRequest:
        with self._asking(f"read pull request {number}", "pull-requests: read"):
            answer = self._ask(self._at(f"/pulls/{number}"))[1]
            return PullAnswer.model_validate(answer).value()

    def list_open_pull_requests(self) -> list[PullRequest]:
        with self._asking("list the open pull requests", "pull-requests: read"):
            return self._pulls(state="open")

    def list_pull_requests_of_branch(self, branch: str, state: Literal["open", "all"] = "open") -> list[PullRequest]:
        """From a branch of this repository, newest first."""
        head = f"{self._name.split('/')[0]}:{branch}"
        with self._asking(f"list the pull requests of {branch}", "pull-requests: read"):
            return self._pulls(state=state, head=head)

    def _pulls(self, **query: str) -> list[PullRequest]:
        answers = list(self._list(self._at("/pulls"), **query))
        return [each.value() for each in PULLS.validate_python(answers)]

    def find_merge_base(self, base: str, head: str) -> str | None:
        """None: no common ancestor, or GitHub does not know one of the two."""
        from github import GithubException

        path = self._at(f"/compare/{quote(base)}...{quote(head)}")
        with self._asking(f"compare {base} with {head}", "contents: read"):
            try:
                answer = self._ask(path, per_page="1")[1]
            except GithubException as error:
                if error.status != 404:
                    raise
                return None
            return CompareAnswer.model_validate(answer).merge_base_commit.sha

    def list_review_comments(self, number: int) -> list[RemoteComment]:
        with self._asking(f"list the review comments of {number}", "pull-requests: read"):
            return [each.value() for each in self._comments(f"/pulls/{number}/comments")]

    def list_comments(self, number: int) -> list[RemoteComment]:
        with self._asking(f"list the comments of {number}", "pull-requests: read"):
            return [each.value() for each in self._comments(f"/issues/{number}/comments")]

    def _comments(self, path: str) -> list[CommentAnswer]:
        return COMMENTS.validate_python(list(self._list(self._at(path))))

    def list_reactions(self, comment_id: int) -> list[Reaction]:
        """To a review comment; none where a server does not know of reactions."""
        from github import GithubException

        path = self._at(f"/pulls/comments/{comment_id}/reactions")
        with self._asking(f"list the reactions to {comment_id}", "pull-requests: read"):
            try:
                answers = REACTIONS.validate_python(list(self._list(path)))
            except GithubException as error:
                if error.status != 404:
                    raise
                return []
            return [each.value(comment_id) for each in answers]

    def has_write_access(self, login: str) -> bool:
        """Whether GitHub says that this person has write access; asked once for each."""
        if login not in self._may_write:
            self._may_write[login] = self._permission(login) in ("write", "admin")
        return self._may_write[login]

    def _permission(self, login: str) -> str:
        """none: GitHub does not know the person, or does not tell us."""
        from github import GithubException

        path = self._at(f"/collaborators/{quote(login, safe='')}/permission")
        with self._asking(f"ask what {login} may do", "metadata: read"):
            try:
                return PermissionAnswer.model_validate(self._ask(path)[1]).permission
            except GithubException as error:
                if error.status not in (403, 404) or _refused(error).is_rate_limit:
                    raise
                return "none"

    def list_threads(self, number: int) -> list[ReviewThread]:
        """Raises ThreadsRefused: one can publish without seeing them."""
        owner, _, name = self._name.partition("/")
        named: dict[str, Any] = {"owner": owner, "name": name, "number": number}
        found: list[ReviewThread] = []
        with self._querying(f"see which threads of {number} are resolved"):
            after = None
            while True:
                data = self._query(THREADS, named | {"after": after})
                answer = data["repository"]["pullRequest"]["reviewThreads"]
                page = ThreadsAnswer.model_validate(answer)
                found += [each.value() for each in page.nodes]
                after = page.pageInfo.endCursor
                if not page.pageInfo.hasNextPage:
                    return found

    def resolve_thread(self, thread_id: str) -> None:
        """Twice is fine. Raises ThreadsRefused."""
        with self._querying("resolve a thread"):
            self._before_writing()
            self._query(RESOLVE, {"thread": thread_id})

    def _query(self, document: str, variables: Mapping[str, Any]) -> Any:
        """`data` of the answer. PyGithub knows where GraphQL is on a server of one's own."""
        return self._github.requester.graphql_query(document, dict(variables))[1]["data"]

    @contextmanager
    def _querying(self, what: str) -> Iterator[None]:
        """GraphQL refuses with 200 and a list of errors, which PyGithub makes a 400 or a 404."""
        from github import GithubException

        with self._asking(what, "pull-requests: write"):
            try:
                yield
            except (GithubException, ValidationError, KeyError, TypeError) as error:
                said = "it is not there"
                if isinstance(error, GithubException):
                    said = _refused(error).message
                # With a workflow's token, resolving needs a permission that is about files.
                raise ThreadsRefused(
                    f"cannot {what}: {said}",
                    "add `contents: write` and `pull-requests: write` under `permissions:`",
                ) from error

    def post_review(
        self, number: int, head: str, body: str, comments: Sequence[DraftComment]
    ) -> list[RemoteComment]:
        """One POST, all or nothing. Returns the comments of this review, as they stand now.

        Raises ReviewRefused when at least one comment is at fault: nothing was posted then.
        """
        drafts = [_draft(each) for each in comments]
        review = {"commit_id": head, "body": body, "event": "COMMENT", "comments": drafts}
        asked = Operation(f"cannot post the review of {number}", "pull-requests: write", True, True)
        with _translated(asked, self._url):
            answer = self._send("POST", self._at(f"/pulls/{number}/reviews"), review)
            made = Identified.model_validate(answer)
        with self._asking(f"list the comments just posted on {number}", "pull-requests: read"):
            found = self._comments(f"/pulls/{number}/comments")
            return [each.value() for each in found if each.pull_request_review_id == made.id]

    def create_pull_request(self, title: str, head: str, base: str, body: str, *, draft: bool) -> PullRequest:
        with self._writing("open a pull request", "pull-requests: write"):
            asked = {"title": title, "head": head, "base": base, "body": body, "draft": draft}
            return PullAnswer.model_validate(self._send("POST", self._at("/pulls"), asked)).value()

    def post_comment(self, number: int, body: str) -> RemoteComment:
        with self._writing(f"comment on {number}", "pull-requests: write"):
            answer = self._send("POST", self._at(f"/issues/{number}/comments"), {"body": body})
            return CommentAnswer.model_validate(answer).value()

    def edit_comment(self, comment_id: int, body: str) -> None:
        with self._writing(f"edit comment {comment_id}", "pull-requests: write"):
            self._send("PATCH", self._at(f"/issues/comments/{comment_id}"), {"body": body})

    def edit_review_comment(self, comment_id: int, body: str) -> None:
        with self._writing(f"edit comment {comment_id}", "pull-requests: write"):
            self._send("PATCH", self._at(f"/pulls/comments/{comment_id}"), {"body": body})

    def write_check_run(self, check: DraftCheck) -> int:
        """The id of the check run of that name on that commit: updated, else created."""
        runs = self._at(f"/commits/{check.head_sha}/check-runs")
        with self._asking(f"list the checks of {check.head_sha}", "checks: read"):
            standing = list(self._list(runs, "check_runs", check_name=check.name))
            latest = max((Identified.model_validate(each).id for each in standing), default=None)
        shape: dict[str, Any] = {
            "name": check.name,
            "status": "completed",
            "conclusion": check.conclusion,
            "output": {"title": check.title, "summary": check.summary},
        }
        with self._writing(f"write the check run {check.name!r}", "checks: write"):
            if latest is None:
                new = shape | {"head_sha": check.head_sha}
                return Identified.model_validate(
                    self._send("POST", self._at("/check-runs"), new)
                ).id
            self._send("PATCH", self._at(f"/check-runs/{latest}"), shape)
            return latest


def _entries(data: Any, key: str) -> Any:
    return data[key] if key and key in data else data


def _retry(sleep: Callable[[float], None]) -> "GithubRetry":
    """Reads are repeated, nothing else. PyGithub's own default repeats a POST after a 5xx."""
    from github import GithubRetry
    from github.GithubException import RateLimitExceededExceedsMaxWait

    class Patient(GithubRetry):
        def sleep(self, response: Any = None) -> None:
            told = None if response is None else self.get_retry_after(response)
            wait = self.get_backoff_time() if told is None else told
            if wait > LONGEST_WAIT:
                raise RateLimitExceededExceedsMaxWait(
                    response.status, {}, dict(response.headers), wait=wait
                )
            sleep(wait)

    return Patient(
        total=3,
        backoff_factor=0.5,
        allowed_methods=READS,
        max_rate_limit_wait=LONGEST_WAIT,
    )


def _draft(comment: DraftComment) -> dict[str, Any]:
    """GitHub refuses a start that is not before the line, so one line has none."""
    shape: dict[str, Any] = {
        "path": comment.path,
        "body": comment.body,
        "side": str(comment.side),
        "line": comment.line,
    }
    if comment.first_line != comment.line:
        shape |= {"start_line": comment.first_line, "start_side": str(comment.side)}
    return shape


@contextmanager
def _translated(asked: Operation, url: str) -> Iterator[None]:
    """Third parties' errors end here."""
    from github import GithubException

    try:
        yield
    except GithubException as error:
        raise explain(_refused(error), asked) from error
    except OSError as error:  # every error of requests is one; see requests.exceptions
        said = f"{asked.problem}: {url} could not be reached or broke off{asked.outcome_unknown}"
        remedy = f"check GITHUB_API_URL and the network, then {asked.again}"
        raise CannotPublish(said, remedy) from error
    except (ValidationError, RuntimeError) as error:  # RuntimeError: a redirect elsewhere
        remedy = "check that GITHUB_API_URL is the root of a GitHub API"
        said = f"{asked.problem}: {url} does not answer as GitHub does{asked.outcome_unknown}"
        raise CannotPublish(said, remedy) from error


def _refused(error: "GithubException") -> GitHubError:
    from github import RateLimitExceededException

    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    wait = headers.get("retry-after")
    limited = isinstance(error, RateLimitExceededException) or error.status == 429
    return GitHubError(
        status=error.status,
        message=error_text(error.data, error.status),
        is_rate_limit=limited or (error.status == 403 and wait is not None),
        wait=wait,
    )
