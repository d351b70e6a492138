"""Git over HTTP: `git http-backend` as CGI, streamed in both directions."""

import re
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, cast
from urllib.parse import unquote

from claude_batch.git.process import Git
from claude_batch.sandbox.github_server.messages import Account
from claude_batch.sandbox.github_server.state import GitHubSettings
from claude_batch.sandbox.http_messages import CHUNK, BodySource, HttpRequest, HttpResponse

RECEIVE_PACK = "git-receive-pack"
GIT_PATH = re.compile(r"/([^/]+/[^/]+?)(?:\.git)?(/(?:info/refs|git-upload-pack|git-receive-pack))")

# GitHub allows the first three. The last three start no work that outlives a request.
SETTINGS = (
    ("uploadpack.allowFilter", "true"),
    ("uploadpack.allowAnySHA1InWant", "true"),
    ("http.receivepack", "true"),
    ("receive.hideRefs", "refs/pull"),
    ("receive.autogc", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
)

REF_PATTERN = re.compile(r"[A-Za-z0-9_./*?\[\]-]+")

HOOK = """\
#!/bin/sh
while read -r old new ref; do
    case "$ref" in
    {patterns})
        echo "error: GH013: Repository rule violations found for $ref." >&2
        echo "Review all repository rules at https://github.com/{repository}/rules" >&2
        exit 1 ;;
    esac
done
"""


def write_hook(folder: Path, patterns: Sequence[str], repository: str) -> None:
    """Write a pre-receive hook that refuses matching refs with the messages of a ruleset.

    Raises ValueError.
    """
    for pattern in patterns:
        if not REF_PATTERN.fullmatch(pattern):
            raise ValueError(f"not a pattern of refs: {pattern!r}")
    hook = folder / "pre-receive"
    if not patterns:
        hook.unlink(missing_ok=True)
        return
    hook.write_text(HOOK.format(patterns="|".join(patterns), repository=repository))
    hook.chmod(0o755)


@dataclass(frozen=True)
class GitServer:
    """Serve the repository `bare`. `hooks` is the folder of its hooks."""

    bare: Path
    environ: Mapping[str, str]
    hooks: Path

    def serve(self, request: HttpRequest, path: str, login: str) -> HttpResponse:
        """Run `git http-backend`. `path` is the part of the path after the repository."""
        settings = (*SETTINGS, ("core.hooksPath", str(self.hooks)))
        git = Git(self.environ, self.bare, config=settings)
        variables = git.environment() | _cgi_variables(request)
        variables |= {
            "GIT_PROJECT_ROOT": str(self.bare.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{self.bare.name}{path}",
            "REMOTE_USER": login,
        }
        process = subprocess.Popen(
            ["git", "http-backend"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=variables,
        )
        stdin, out = cast("IO[bytes]", process.stdin), cast("BufferedReader", process.stdout)
        feeder = threading.Thread(target=_feed, args=(stdin, request.source), daemon=True)
        feeder.start()
        status, headers = _read_headers(out)
        return HttpResponse(status, _stream(process, out, feeder), headers)


def _cgi_variables(request: HttpRequest) -> dict[str, str]:
    names = {
        "content-type": "CONTENT_TYPE",
        "content-length": "CONTENT_LENGTH",
        "content-encoding": "HTTP_CONTENT_ENCODING",
        "git-protocol": "GIT_PROTOCOL",
        "user-agent": "HTTP_USER_AGENT",
    }
    variables = {names[key]: value for key, value in request.headers.items() if key in names}
    if "transfer-encoding" in request.headers:
        variables.pop("CONTENT_LENGTH", None)
    return variables | {
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
    }


def _feed(pipe: IO[bytes], body: BodySource) -> None:
    try:
        with pipe:
            while chunk := body.read(CHUNK):
                pipe.write(chunk)
    except BrokenPipeError:
        # git has refused the request, but the client reads no response before it has sent all.
        while body.read(CHUNK):
            pass


def _read_headers(out: IO[bytes]) -> tuple[int, dict[str, str]]:
    status, headers = 200, dict[str, str]()
    for line in iter(out.readline, b""):
        name, colon, value = line.decode("latin-1").strip().partition(":")
        if not colon:
            break
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers[name] = value.strip()
    return status, headers


def _stream(
    process: subprocess.Popen[bytes], out: BufferedReader, feeder: threading.Thread
) -> Iterator[bytes]:
    try:
        while chunk := out.read1(CHUNK):
            yield chunk
    finally:
        out.close()
        process.wait()
        feeder.join()


def find_refusal(
    request: HttpRequest, account: Account | None, settings: GitHubSettings
) -> HttpResponse | None:
    """Return the error response to a git request; None if it is allowed, or is not git's."""
    match = GIT_PATH.fullmatch(request.path)
    if match is None:
        return None
    name = unquote(match[1])
    if name.lower() != settings.repository.lower():
        return _plain_text(404, "Repository not found.")
    if account is None and not settings.anonymous_git:
        challenge = {"WWW-Authenticate": 'Basic realm="GitHub"'}
        return _plain_text(401, "Authentication required.", challenge)
    is_push = RECEIVE_PACK in (match[2].strip("/"), request.parameters.get("service"))
    if is_push and account and "contents" not in account.can_write:
        return _plain_text(403, f"Permission to {name}.git denied to {account.login}.")
    return None


def _plain_text(status: int, text: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return an error response whose text git shows: it must be plain."""
    content_type = {"Content-Type": "text/plain"}
    return HttpResponse(status, f"{text}\n".encode(), content_type | dict(headers or {}))
