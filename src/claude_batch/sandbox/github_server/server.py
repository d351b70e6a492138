"""A look-alike of GitHub on this machine: its REST API and git over HTTP on one port.

The git data is a real bare repository, so pushes, pull requests and diffs are what they are;
reviews are held to GitHub's rules about diffs. Nothing is kept on disk but that repository.
"""

import json
import re
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from claude_batch.sandbox.demo.conversation import ConversationItem, build_conversation
from claude_batch.sandbox.github_server import comments, pulls, threads
from claude_batch.sandbox.github_server.git_http import RECEIVE_PACK, GitServer, write_hook
from claude_batch.sandbox.github_server.git_repository import BareRepository
from claude_batch.sandbox.github_server.messages import (
    ACTIONS_BOT,
    Account,
    ApiRequest,
    ApiResponse,
    GitHubErrorResponse,
    error_response,
    find_token,
)
from claude_batch.sandbox.github_server.routes import answer
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

ENTERPRISE_ROOT = "/api/v3"  # also taken, because clients of GHES put it before every path
ENTERPRISE_GRAPHQL = "/api/graphql"
GIT_PATH = re.compile(r"/([^/]+/[^/]+?)(?:\.git)?(/(?:info/refs|git-upload-pack|git-receive-pack))")
BOT = Account(ACTIONS_BOT)


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
        """The new pull request's number. `head` is a branch, or owner:branch: that one is a
        fork's, and lives here under refs/forks/OWNER/heads/BRANCH. Raises GitHubErrorResponse."""
        with self._lock:
            record = pulls.blank_pull(self._state, title, head, base, author)
            record = replace(record, body=body, draft=draft, labels=tuple(labels))
            return pulls.open_pull(self._state, record).number

    def merge(self, number: int) -> str:
        """Merge a pull request and return the id of the merge commit.

        Raises GitHubErrorResponse.
        """
        with self._lock:
            self._state.follow_refs()
            return pulls.merge(self._state, number).merge_commit or ""

    def close(self, number: int) -> None:
        """Without merging."""
        with self._lock:
            pull = self._state.pull(number)
            pull.closed_at = pull.closed_at or self._state.timestamp()

    def conversation(self, number: int) -> tuple[ConversationItem, ...]:
        """Everything on a pull request, in the order in which it was said."""
        with self._lock:
            self._state.follow_refs()
            return build_conversation(self._state, number)

    def react(self, comment_id: int, login: str, content: str) -> None:
        """A person's reaction to a review comment: +1, -1, laugh, … Raises GitHubErrorResponse."""
        with self._lock:
            threads.react(self._state, comment_id, login, content)

    def reply(self, comment_id: int, login: str, body: str) -> int:
        """A person's reply to a review comment; its id. Raises GitHubErrorResponse."""
        with self._lock:
            first = self._state.review_comment(comment_id)
            return comments.say_in_thread(self._state, first, login, body).id

    def resolve(self, comment_id: int, login: str) -> None:
        """A person resolves the thread of a review comment. Raises GitHubErrorResponse."""
        with self._lock:
            threads.resolve(self._state, comment_id, login)

    def find_fault(self, request: HttpRequest) -> Fault | None:
        # git sends each first request without its token. Such a request uses up no fault.
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
        answer = (
            json.loads(response.body)
            if response.body and isinstance(response.body, bytes)
            else None
        )
        return replace(entry, body=_parse_body(request), answer=answer)

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
            call = ApiRequest(request.method, path, request.parameters, body, account)
            return answer(self._state, call)

    def _respond_to_git(self, request: HttpRequest, path: str) -> HttpResponse:
        refusal = self._refuse_git(request)
        if refusal is not None:
            return refusal
        with self._lock:
            self._state.follow_refs()
        account = self._account(request)
        return self._git.serve(request, path, account.login if account else "anonymous")

    def _refuse_git(self, request: HttpRequest) -> HttpResponse | None:
        """Return the error response to a request of git, None if it is allowed or another one."""
        match = GIT_PATH.fullmatch(request.path)
        if match is None:
            return None
        account, repository = self._account(request), unquote(match[1])
        if repository.lower() != self.repository.lower():
            return _plain_text(404, "Repository not found.")
        if account is None and not self.settings.anonymous_git:
            challenge = {"WWW-Authenticate": 'Basic realm="GitHub"'}
            return _plain_text(401, "Authentication required.", challenge)
        is_push = RECEIVE_PACK in (match[2].strip("/"), request.parameters.get("service"))
        if is_push and account and "contents" not in account.can_write:
            denied = f"Permission to {repository}.git denied to {account.login}."
            return _plain_text(403, denied)
        return None


def _parse_body(request: HttpRequest) -> Any:
    try:
        return request.json()
    except ValueError:
        return None


def _plain_text(status: int, text: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    # git shows its user the text of an error only if it is plain.
    return HttpResponse(
        status, f"{text}\n".encode(), {"Content-Type": "text/plain", **(headers or {})}
    )
