"""The HTTP side of the GitHub look-alike: who asks, with which body, and where the answer goes."""

import base64
import gzip
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from claude_batch.sandbox.github_server.git_http import Source


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request before anybody has looked at what it means."""

    method: str
    path: str  # as it was sent, without the query
    query: str
    headers: Mapping[str, str]  # names in lower case
    source: Source

    def token(self) -> str | None:
        """From `token X`, `Bearer X`, or the password of basic authentication."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() in ("token", "bearer"):
            return value.strip() or None
        if scheme.lower() != "basic":
            return None
        try:
            text = base64.b64decode(value).decode("utf-8", "replace")
        except ValueError:
            return None
        user, _, password = text.partition(":")
        return password or user or None

    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def json(self) -> Any:
        """None without a body. Raises ValueError for what is not JSON."""
        parts = list(iter(lambda: self.source.read(65536), b""))
        raw = b"".join(parts)
        if self.headers.get("content-encoding") == "gzip":
            raw = gzip.decompress(raw)
        return json.loads(raw) if raw else None

    def drain(self) -> None:
        """Read what is left: a connection closed on unread data may lose our answer."""
        while self.source.read(65536):
            pass

    def cgi(self) -> dict[str, str]:
        """The variables that `git http-backend` reads."""
        names = {
            "content-type": "CONTENT_TYPE",
            "content-length": "CONTENT_LENGTH",
            "content-encoding": "HTTP_CONTENT_ENCODING",
            "git-protocol": "GIT_PROTOCOL",
            "user-agent": "HTTP_USER_AGENT",
        }
        found = {names[key]: value for key, value in self.headers.items() if key in names}
        if "transfer-encoding" in self.headers:
            found.pop("CONTENT_LENGTH", None)
        return found | {
            "REQUEST_METHOD": self.method,
            "QUERY_STRING": self.query,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
        }


class Sized:
    """A body of a known length."""

    def __init__(self, stream: BufferedIOBase, length: int) -> None:
        self._stream, self._left = stream, length

    def read(self, size: int) -> bytes:
        found = self._stream.read(min(size, self._left))
        self._left -= len(found)
        return found


class Chunked:
    """A body in chunks, as git sends a pack that is larger than its post buffer."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream, self._left, self._ended = stream, 0, False

    def read(self, size: int) -> bytes:
        if not self._left and not self._ended:
            self._left = int(self._stream.readline().split(b";")[0], 16)
            self._ended = self._left == 0
            if self._ended:
                while self._stream.readline().strip():
                    pass  # trailers, and the empty line after them
        found = self._stream.read(min(size, self._left))
        self._left -= len(found)
        if found and not self._left:
            self._stream.readline()
        return found


Answer = Callable[[HttpRequest, "GitHubHandler"], None]


class GitHubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer: ClassVar[Answer]
    clock: ClassVar[Callable[[], datetime]]

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = int(headers.get("content-length", "0"))
        source = Chunked(self.rfile) if chunked else Sized(self.rfile, length)
        call = HttpRequest(self.command, parts.path, parts.query, headers, source)
        type(self).answer(call, self)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """One request to a connection: the end of a streamed body needs no length then."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def date_time_string(self, timestamp: float | None = None) -> str:
        """For the `Date` of each answer."""
        return format_datetime(type(self).clock().astimezone(UTC), usegmt=True)

    def whole(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        sized = {} if status == 204 else {"Content-Length": str(len(body))}
        kind = {"Content-Type": "application/json; charset=utf-8"} if body else {}
        self.begin(status, kind | sized | dict(headers))
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The hub keeps a log of its own."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news; a fault of ours is shown by the base class."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
