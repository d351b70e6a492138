"""git over HTTP: `git http-backend` as CGI, streamed in both directions."""

import re
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, cast

from claude_batch.git.process import Git
from claude_batch.sandbox.http_messages import CHUNK, BodySource, HttpRequest, HttpResponse

RECEIVE_PACK = "git-receive-pack"

# What GitHub allows and git does not by itself; and no work that outlives the request.
SETTINGS = (
    ("uploadpack.allowFilter", "true"),
    ("uploadpack.allowAnySHA1InWant", "true"),
    ("http.receivepack", "true"),
    ("receive.hideRefs", "refs/pull"),
    ("receive.autogc", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
)

PATTERN = re.compile(r"[A-Za-z0-9_./*?\[\]-]+")

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
    """A pre-receive hook that refuses the refs that match, in the words of a ruleset."""
    for pattern in patterns:
        if not PATTERN.fullmatch(pattern):
            raise ValueError(f"not a pattern of refs: {pattern!r}")
    hook = folder / "pre-receive"
    if not patterns:
        hook.unlink(missing_ok=True)
        return
    hook.write_text(HOOK.format(patterns="|".join(patterns), repository=repository))
    hook.chmod(0o755)


@dataclass(frozen=True)
class GitServer:
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
        into, out = cast("IO[bytes]", process.stdin), cast("BufferedReader", process.stdout)
        feeder = threading.Thread(target=_feed, args=(into, request.source), daemon=True)
        feeder.start()
        status, headers = _head(out)
        return HttpResponse(status, _rest(process, out, feeder), headers)


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
    """git may stop reading when it has seen enough to refuse; the rest is read all the same,
    because a client that still sends does not look at an answer."""
    try:
        with pipe:
            while chunk := body.read(CHUNK):
                pipe.write(chunk)
    except BrokenPipeError:
        while body.read(CHUNK):
            pass


def _head(out: IO[bytes]) -> tuple[int, dict[str, str]]:
    status, headers = 200, dict[str, str]()
    for raw in iter(out.readline, b""):
        name, colon, value = raw.decode("latin-1").strip().partition(":")
        if not colon:
            break
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers[name] = value.strip()
    return status, headers


def _rest(
    process: subprocess.Popen[bytes], out: BufferedReader, feeder: threading.Thread
) -> Iterator[bytes]:
    try:
        while chunk := out.read1(CHUNK):
            yield chunk
    finally:
        out.close()
        process.wait()
        feeder.join()
