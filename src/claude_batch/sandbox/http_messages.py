"""HTTP requests, responses, log entries and faults of the test servers."""

import gzip
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import parse_qsl

CHUNK = 1 << 16  # bytes


class BodySource(Protocol):
    """A stream with the body of one request."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class HttpRequest:
    """A request whose body is read when it is needed."""

    method: str
    path: str  # as it was sent, without the query
    query: str
    headers: Mapping[str, str]  # names in lower case
    source: BodySource

    @property
    def size(self) -> int:
        """The declared length of the body; 0 for a chunked one."""
        return int(self.headers.get("content-length", "0"))

    @cached_property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @cached_property
    def body(self) -> bytes:
        content = b"".join(iter(lambda: self.source.read(CHUNK), b""))
        is_compressed = self.headers.get("content-encoding") == "gzip"
        return gzip.decompress(content) if is_compressed else content

    def json(self) -> Any:
        """Parse the body; None without one. Raises ValueError if it is not JSON."""
        return json.loads(self.body) if self.body else None

    def drain(self) -> None:
        """Read and drop the rest of the body."""
        while self.source.read(CHUNK):
            pass


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response; a body that is not bytes is sent in chunks."""

    status: int
    body: bytes | Iterable[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None  # the connection is closed after so many bytes of the body


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request and its response. The last four fields are those of the GitHub server."""

    method: str
    path: str
    body_bytes: int
    status: int  # 0: the connection was closed without a response
    query: str = ""
    body: Any = None
    answer: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)  # without the token


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure instead of a response. Without a status the connection is closed."""

    status: int | None = None
    kind: str = "api_error"
    message: str = "made by a fault"
    details: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None  # instead of the API's error: bytes as they are, other values as JSON
    after: bool = False  # carry the request out first: the response is lost, the work is not
    cut: int | None = None  # send the true response, but only so many bytes of its body
    hang: bool = False  # send nothing until the server stops


FindFault = Callable[[HttpRequest], Fault | None]


def no_fault(_: HttpRequest) -> None:
    """A `FindFault` that finds none."""


def fail_calls(method: str, path_end: str, *faults: Fault | None) -> FindFault:
    """Return a function that gives one fault to each call of this method and path, in order."""
    remaining = iter(faults)
    lock = threading.Lock()

    def find_fault(request: HttpRequest) -> Fault | None:
        if request.method != method or not request.path.endswith(path_end):
            return None
        with lock:
            return next(remaining, None)

    return find_fault
