"""A test server with GitHub's REST API, two GraphQL documents, and git over HTTP on one port.

The git data is a real bare repository. Reviews follow GitHub's rules about diffs. Everything
beside the repository is in memory.
"""

import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from claude_batch.sandbox.demo.conversation import ConversationItem, build_conversation
from claude_batch.sandbox.github_server import checks, comments, pulls, repository, reviews, threads
from claude_batch.sandbox.github_server.git_http import (
    GIT_PATH,
    GitServer,
    find_refusal,
    write_hook,
)
from claude_batch.sandbox.github_server.git_repository import BareRepository
from claude_batch.sandbox.github_server.messages import (
    ACTIONS_BOT,
    Account,
    ApiRequest,
    ApiResponse,
    GitHubErrorResponse,
    Route,
    dispatch,
    error_response,
    find_token,
    parse_json,
    route,
)
from claude_batch.sandbox.github_server.state import GitHubSettings, GitHubState
from claude_batch.sandbox.http_messages import (
    Fault,
    FindFault,
    HttpRequest,
    HttpResponse,
    LoggedRequest,
    no_fault,
)
from claude_batch.sandbox.http_server import SandboxServer, utc_now

# The paths of GitHub Enterprise Server are accepted too.
ENTERPRISE_ROOT = "/api/v3"
ENTERPRISE_GRAPHQL = "/api/graphql"
BOT = Account(ACTIONS_BOT)
COMMENTING = ("pull_requests", "issues")

GLOBAL_ROUTES: tuple[Route, ...] = (
    route("GET /user", repository.get_user),
    route("GET /rate_limit", repository.get_rate_limit),
    route("POST /graphql", threads.answer_graphql),
)
REPOSITORY_ROUTES = (
    route("GET /", repository.get_repository),
    route("GET /collaborators/*/permission", repository.get_permission),
    route("GET /pulls", pulls.list_pulls),
    route("POST /pulls", pulls.create_pull, "pull_requests"),
    route("GET /pulls/#", pulls.get_pull),
    route("PATCH /pulls/#", pulls.edit_pull, "pull_requests"),
    route("GET /pulls/#/files", pulls.list_files),
    route("GET /pulls/#/commits", pulls.list_commits),
    route("GET /pulls/#/reviews", reviews.list_reviews),
    route("POST /pulls/#/reviews", reviews.create_review, "pull_requests"),
    route("GET /pulls/#/comments", comments.list_review_comments),
    route("POST /pulls/#/comments", reviews.create_review_comment, "pull_requests"),
    route("POST /pulls/#/comments/#/replies", comments.create_reply, "pull_requests"),
    route("GET /pulls/comments/#", comments.get_review_comment),
    route("PATCH /pulls/comments/#", comments.edit_review_comment, "pull_requests"),
    route("GET /pulls/comments/#/reactions", comments.list_reactions),
    route("GET /issues/#/comments", comments.list_issue_comments),
    route("POST /issues/#/comments", comments.create_issue_comment, *COMMENTING),
    route("GET /issues/comments/#", comments.get_issue_comment),
    route("PATCH /issues/comments/#", comments.edit_issue_comment, *COMMENTING),
    route("POST /check-runs", checks.create_check, "checks"),
    route("GET /check-runs/#", checks.get_check),
    route("PATCH /check-runs/#", checks.edit_check, "checks"),
    route("GET /check-runs/#/annotations", checks.list_annotations),
    route("GET /commits/**/check-runs", checks.list_checks),
    route("GET /commits/**", repository.get_commit),
    route("GET /compare/**", repository.compare_commits),
)


class GitHubServer(SandboxServer):
    """`with GitHubServer(bare, environ) as github:` serves until the block ends.

    `environ` is the environment of git.
    """

    keep_alive = False

    def __init__(
        self,
        bare: Path,
        environ: Mapping[str, str],
        settings: GitHubSettings | None = None,
        *,
        faults: FindFault = no_fault,
        port: int = 0,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(port, now, faults)
        self.settings = settings or GitHubSettings()
        self._lock = threading.RLock()
        self._hooks = tempfile.TemporaryDirectory(prefix="claude-batch-sandbox-hooks-")
        hooks = Path(self._hooks.name)
        write_hook(hooks, self.settings.refused_refs, self.settings.repository)
        self._git = GitServer(bare.resolve(), environ, hooks)
        repository = BareRepository(bare.resolve(), environ)
        self._state = GitHubState(repository, self.settings, self.url, now)

    def stop(self) -> None:
        super().stop()
        self._hooks.cleanup()

    @property
    def repository(self) -> str:
        return self._state.repository

    @property
    def clone_url(self) -> str:
        return f"{self.url}/{self.repository}.git"

    def open_pull(
        self,
        title: str,
        head: str,
        base: str = "main",
        *,
        body: str = "",
        author: str = "octocat",
        draft: bool = False,
        labels: Sequence[str] = (),
    ) -> int:
        """Return the number of the new pull request. Raises GitHubErrorResponse.

        `head` is a branch, or owner:branch of a fork. The fork's branch is in this repository
        as refs/forks/OWNER/heads/BRANCH.
        """
        with self._lock:
            pull = pulls.new_pull(self._state, title, head, base, author)
            pull = replace(pull, body=body, draft=draft, labels=tuple(labels))
            return pulls.open_pull(self._state, pull).number

    def merge(self, number: int) -> str:
        """Merge a pull request and return the id of the merge commit.

        Raises GitHubErrorResponse.
        """
        with self._lock:
            self._state.follow_refs()
            return pulls.merge_pull(self._state, number)

    def close(self, number: int) -> None:
        """Close a pull request without merging it."""
        with self._lock:
            pull = self._state.pull(number)
            pull.closed_at = pull.closed_at or self._state.timestamp()

    def reopen(self, number: int) -> None:
        with self._lock:
            self._state.pull(number).closed_at = None

    def change_base(self, number: int, base: str) -> None:
        """Let the pull request be merged into another branch."""
        with self._lock:
            pull = self._state.pull(number)
            pull.base_ref, pull.updated_at = base, self._state.timestamp()
            self._state.follow_refs()

    def conversation(self, number: int) -> tuple[ConversationItem, ...]:
        """Return the comments and checks of a pull request, oldest first."""
        with self._lock:
            self._state.follow_refs()
            return build_conversation(self._state, number)

    def react(self, comment_id: int, login: str, content: str) -> None:
        """React to a review comment with +1, -1, laugh, … Raises GitHubErrorResponse."""
        with self._lock:
            threads.react(self._state, comment_id, login, content)

    def reply(self, comment_id: int, login: str, body: str) -> int:
        """Reply to a review comment and return the reply's id. Raises GitHubErrorResponse."""
        with self._lock:
            first = self._state.review_comment(comment_id)
            return comments.add_reply(self._state, first, login, body).id

    def resolve(self, comment_id: int, login: str) -> None:
        """Resolve the thread of a review comment. Raises GitHubErrorResponse."""
        with self._lock:
            threads.resolve(self._state, comment_id, login)

    def find_fault(self, request: HttpRequest) -> Fault | None:
        # git sends each first request without its token. No fault is spent on it.
        return None if self._refuse_git(request) else super().find_fault(request)

    def respond(self, request: HttpRequest) -> HttpResponse:
        if match := GIT_PATH.fullmatch(request.path):
            return self._respond_to_git(request, match[2])
        try:
            return self._respond_to_api(request).encode()
        except GitHubErrorResponse as error:
            return error.response.encode()

    def render_error(self, fault: Fault) -> HttpResponse:
        error = error_response(fault.status or 500, fault.message)
        return replace(error.response, headers=fault.headers).encode()

    def describe(self, request: HttpRequest, response: HttpResponse | None) -> LoggedRequest:
        entry = super().describe(request, response)
        headers = {key: text for key, text in request.headers.items() if key != "authorization"}
        entry = replace(entry, query=request.query, headers=headers)
        if GIT_PATH.fullmatch(request.path) or response is None:
            return entry
        return replace(entry, body=parse_json(request.body), answer=parse_json(response.body))

    def _account(self, request: HttpRequest) -> Account | None:
        token = find_token(request)
        if token is None:
            return None
        return BOT if self.settings.tokens is None else self.settings.tokens.get(token)

    def _respond_to_api(self, request: HttpRequest) -> ApiResponse:
        account = self._account(request)
        try:
            body = request.json()
        except ValueError as error:
            raise error_response(400, "Problems parsing JSON") from error
        if account is None:
            raise error_response(401, "Bad credentials")
        path = request.path.removeprefix(ENTERPRISE_ROOT)
        path = "/graphql" if path == ENTERPRISE_GRAPHQL else path
        with self._lock:
            self._state.follow_refs()
            return self._route(ApiRequest(request.method, path, request.parameters, body, account))

    def _route(self, request: ApiRequest) -> ApiResponse:
        routes, path, prefix = GLOBAL_ROUTES, request.path, f"/repos/{self.repository}"
        if path.lower().startswith(prefix.lower()):
            routes, path = REPOSITORY_ROUTES, path[len(prefix) :] or "/"
        return dispatch(routes, path, self._state, request)

    def _respond_to_git(self, request: HttpRequest, path: str) -> HttpResponse:
        refusal = self._refuse_git(request)
        if refusal is not None:
            return refusal
        with self._lock:
            self._state.follow_refs()
        account = self._account(request)
        return self._git.serve(request, path, account.login if account else "anonymous")

    def _refuse_git(self, request: HttpRequest) -> HttpResponse | None:
        return find_refusal(request, self._account(request), self.settings)
