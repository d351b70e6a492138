"""A look-alike of GitHub on this machine: its REST API and git over HTTP on one port.

The git data is a real bare repository, so pushes, pull requests and diffs are what they are;
reviews are held to GitHub's rules about diffs. Nothing is kept on disk but that repository.
"""

import re
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from claude_batch.sandbox.demo.conversation import ConversationItem, build_conversation
from claude_batch.sandbox.github_server import comments, pulls, threads
from claude_batch.sandbox.github_server.git_http import RECEIVE_PACK, GitServer, write_hook
from claude_batch.sandbox.github_server.git_repository import BareRepository
from claude_batch.sandbox.github_server.handler import GitHubHandler, HttpRequest, Server
from claude_batch.sandbox.github_server.messages import (
    ACTIONS_BOT,
    Account,
    ApiResponse,
    Fault,
    GitHubErrorResponse,
    Incoming,
    LoggedRequest,
    Trouble,
    error_response,
)
from claude_batch.sandbox.github_server.routes import answer
from claude_batch.sandbox.github_server.state import GitHubSettings, GitHubState

ENTERPRISE_ROOT = "/api/v3"  # also taken, because clients of GHES put it before every path
ENTERPRISE_GRAPHQL = "/api/graphql"
GIT_PATH = re.compile(r"/([^/]+/[^/]+?)(?:\.git)?(/(?:info/refs|git-upload-pack|git-receive-pack))")
BOT = Account(ACTIONS_BOT)


def utc_now() -> datetime:
    return datetime.now(UTC)


class GitHubServer:
    """`with Hub(bare, environ) as hub:` serves until the block ends.

    `environ` is what git gets to see. `fault` is asked before every request; it may be set at
    any time.
    """

    def __init__(
        self,
        bare: Path,
        environ: Mapping[str, str],
        setup: GitHubSettings | None = None,
        *,
        fault: Fault | None = None,
        port: int = 0,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.settings = setup or GitHubSettings()
        self.faults = fault
        self.log: list[LoggedRequest] = []
        self._lock = threading.RLock()
        self._hooks = tempfile.TemporaryDirectory(prefix="hub-hooks-")
        folder = Path(self._hooks.name)
        write_hook(folder, self.settings.refused_refs, self.settings.repository)
        given = {"answer": staticmethod(self._answer), "clock": staticmethod(now)}
        handler = type("HubHandler", (GitHubHandler,), given)
        self._server = Server(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._git = GitServer(bare.resolve(), environ, folder)
        self._desk = GitHubState(
            BareRepository(bare.resolve(), environ), self.settings, self.url, now
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    @property
    def repository(self) -> str:
        return self._desk.repository

    @property
    def clone_url(self) -> str:
        return f"{self.url}/{self.repository}.git"

    def __enter__(self) -> "GitHubServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._hooks.cleanup()

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
        fork's, and lives here under refs/forks/OWNER/heads/BRANCH. Raises Refused."""
        with self._lock:
            record = pulls.blank_pull(self._desk, title, head, base, author)
            record = replace(record, body=body, draft=draft, labels=tuple(labels))
            return pulls.open_pull(self._desk, record).number

    def merge(self, number: int) -> str:
        """The id of the merge commit, now the tip of the base branch. Raises Refused."""
        with self._lock:
            self._desk.follow_refs()
            return pulls.merge(self._desk, number).merge_commit or ""

    def close(self, number: int) -> None:
        """Without merging."""
        with self._lock:
            pull = self._desk.pull(number)
            pull.closed_at = pull.closed_at or self._desk.timestamp()

    def conversation(self, number: int) -> tuple[ConversationItem, ...]:
        """Everything on a pull request, in the order in which it was said."""
        with self._lock:
            self._desk.follow_refs()
            return build_conversation(self._desk, number)

    def react(self, comment_id: int, login: str, content: str) -> None:
        """A person's reaction to a review comment: +1, -1, laugh, … Raises Refused."""
        with self._lock:
            threads.react(self._desk, comment_id, login, content)

    def reply(self, comment_id: int, login: str, body: str) -> int:
        """A person's reply to a review comment; its id. Raises Refused."""
        with self._lock:
            first = self._desk.review_comment(comment_id)
            return comments.say_in_thread(self._desk, first, login, body).id

    def resolve(self, comment_id: int, login: str) -> None:
        """A person resolves the thread of a review comment. Raises Refused."""
        with self._lock:
            threads.resolve(self._desk, comment_id, login)

    def _account(self, token: str | None) -> Account | None:
        if token is None:
            return None
        return BOT if self.settings.tokens is None else self.settings.tokens.get(token)

    def _answer(self, call: HttpRequest, handler: GitHubHandler) -> None:
        found = GIT_PATH.fullmatch(call.path)
        if found:
            self._answer_git(call, handler, found[1], found[2])
        else:
            self._answer_api(call, handler)

    def _note(self, call: HttpRequest, body: Any, reply: ApiResponse) -> None:
        kept = {name: text for name, text in call.headers.items() if name != "authorization"}
        noted = LoggedRequest(
            call.method, call.path, body, reply.status, call.query, reply.body, kept
        )
        with self._lock:
            self.log.append(noted)

    def _answer_api(self, call: HttpRequest, handler: GitHubHandler) -> None:
        body, reply = self._reply(call)
        self._note(call, body, reply)
        handler.whole(reply.status, reply.encoded(), reply.headers)

    def _reply(self, call: HttpRequest) -> tuple[Any, ApiResponse]:
        """The request's body, and what to answer."""
        try:
            body = call.json()
        except ValueError:
            return None, error_response(400, "Problems parsing JSON").reply
        account = self._account(call.token())
        path = call.path.removeprefix(ENTERPRISE_ROOT)
        path = "/graphql" if path == ENTERPRISE_GRAPHQL else path
        incoming = Incoming(call.method, path, call.parameters(), body, account)
        trouble = self._trouble(incoming)
        if trouble and not trouble.after:
            return body, trouble.reply
        reply = self._carry_out(incoming)
        return body, trouble.reply if trouble else reply

    def _trouble(self, incoming: Incoming) -> Trouble | None:
        return self.faults(incoming) if self.faults else None

    def _carry_out(self, incoming: Incoming) -> ApiResponse:
        if incoming.account is None:
            return error_response(401, "Bad credentials").reply
        with self._lock:
            try:
                self._desk.follow_refs()
                return answer(self._desk, incoming)
            except GitHubErrorResponse as error:
                return error.reply

    def _answer_git(
        self, call: HttpRequest, handler: GitHubHandler, repository: str, path: str
    ) -> None:
        account = self._account(call.token())
        reply = self._git_refusal(call, account, unquote(repository), path)
        if reply is None:
            incoming = Incoming(call.method, call.path, call.parameters(), None, account)
            trouble = self._trouble(incoming)
            reply = trouble.reply if trouble else None
        if reply is not None:
            call.drain()
            self._note(call, None, reply)
            text = str((reply.body or {}).get("message", "")).encode() + b"\n"
            handler.whole(reply.status, text, {"Content-Type": "text/plain"} | dict(reply.headers))
            return
        with self._lock:
            self._desk.follow_refs()
        request = call.cgi() | {"PATH_INFO": path}
        request["REMOTE_USER"] = account.login if account else "anonymous"
        served = self._git.serve(request, call.source)
        self._note(call, None, ApiResponse(served.status))
        handler.begin(served.status, dict(served.headers))
        for chunk in served.body:
            handler.wfile.write(chunk)

    def _git_refusal(
        self, call: HttpRequest, account: Account | None, repository: str, path: str
    ) -> ApiResponse | None:
        if repository.lower() != self.repository.lower():
            return error_response(404, "Repository not found.").reply
        if account is None and not self.settings.anonymous_git:
            asked = {"WWW-Authenticate": 'Basic realm="GitHub"'}
            body = {"message": "Authentication required."}
            return ApiResponse(401, body, asked)
        pushes = RECEIVE_PACK in path or call.parameters().get("service") == RECEIVE_PACK
        if pushes and account and "contents" not in account.can_write:
            denied = f"Permission to {repository}.git denied to {account.login}."
            return error_response(403, denied).reply
        return None
