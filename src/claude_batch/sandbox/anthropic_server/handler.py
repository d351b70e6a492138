"""The HTTP of the batches look-alike: one handler, its log, and the faults that tests make."""

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from claude_batch.sandbox.anthropic_server.responses import Json, error_envelope, new_id

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class LoggedApiRequest:
    method: str
    path: str  # without the query
    body_bytes: int
    status: int  # 0: the connection was closed without an answer


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    nth: int  # the 1st, 2nd … call of this method and path


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in place of an answer. Without a status the connection is closed."""

    status: int | None = None
    kind: str = "api_error"
    message: str = "made by a fault"
    details: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None  # instead of the error envelope
    after: bool = False  # first do what was asked: the answer is lost, the work is not
    cut: int | None = None  # send the true answer, but only so many bytes of its body
    hang: bool = False  # say nothing until the server stops


Faults = Callable[[Call], Fault | None]


def failing(method: str, ending: str, *faults: Fault | None) -> Faults:
    """The 1st, 2nd … call to a path that ends so meets these; later ones go well."""
    left = list(faults)

    def choose(call: Call) -> Fault | None:
        if call.method == method and call.path.endswith(ending) and left:
            return left.pop(0)
        return None

    return choose


@dataclass(frozen=True, slots=True)
class ApiRequest:
    id: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    size: int
    body: bytes  # empty when it is larger than the server takes

    @property
    def version(self) -> str:
        return self.headers.get("anthropic-version", "")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False


class Service(Protocol):
    """The service behind the handler."""

    log: list[LoggedApiRequest]
    most_bytes: int
    now: Callable[[], datetime]

    def answer(self, request: ApiRequest) -> Answer: ...
    def meet(self, method: str, path: str) -> Fault | None: ...
    def wait_for_stop(self) -> None: ...


class HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    service: Service

    def __init__(self, port: int, service: Service) -> None:
        super().__init__(("127.0.0.1", port), AnthropicHandler)
        self.service = service
        self.open: set[socket.socket] = set()

    def hang_up(self) -> None:
        """End the kept-alive connections, whose threads would otherwise wait for ever."""
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                self.open.discard(connection)  # the client was first


class AnthropicHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = CHUNK  # headers and body leave together
    server: HttpServer

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        try:
            super().finish()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client did not wait for the rest

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def date_time_string(self, timestamp: float | None = None) -> str:
        """For the `Date` of each answer: the clock of the batches."""
        return format_datetime(self.server.service.now().astimezone(UTC), usegmt=True)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: `service.log` is the log."""

    def _serve(self) -> None:
        request = self._request()
        service = self.server.service
        fault = service.meet(request.method, request.path)
        if fault is None:
            answer = service.answer(request)
            self._log(request, answer.status)
            self._send(request, answer)
        elif fault.cut is not None:
            answer = service.answer(request)
            self._log(request, answer.status)
            self._send(request, answer, fault.cut)
        else:
            self._fail(request, fault)

    def _fail(self, request: ApiRequest, fault: Fault) -> None:
        if fault.after:
            self.server.service.answer(request)
        self._log(request, fault.status or 0)
        if fault.hang:
            self.server.service.wait_for_stop()
        if fault.hang or fault.status is None:
            self.close_connection = True
            return
        envelope = error_envelope(fault.kind, fault.message, request.id, fault.details)
        body = json.dumps(envelope).encode() if fault.body is None else fault.body
        self._send(request, Answer(fault.status, body, headers=fault.headers))

    def _log(self, request: ApiRequest, status: int) -> None:
        row = LoggedApiRequest(request.method, request.path, request.size, status)
        self.server.service.log.append(row)

    def _request(self) -> ApiRequest:
        where = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        size = int(headers.get("content-length", "0"))
        return ApiRequest(
            new_id("req"),
            self.command,
            where.path,
            dict(parse_qsl(where.query)),
            headers,
            size,
            self._body(size),
        )

    def _body(self, size: int) -> bytes:
        if size <= self.server.service.most_bytes:
            return self.rfile.read(size)
        # Read all the same: a client that is still sending would not see the answer.
        while size > 0:
            size -= len(self.rfile.read(min(size, CHUNK))) or size
        return b""

    def _send(self, request: ApiRequest, answer: Answer, cut: int | None = None) -> None:
        self.send_response(answer.status)
        self.send_header("content-type", answer.content_type)
        self.send_header("request-id", request.id)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunked:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        body = answer.body[:cut]
        if not answer.chunked:
            self.wfile.write(body)
        for start in range(0, len(body) if answer.chunked else 0, CHUNK):
            chunk = body[start : start + CHUNK]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        if answer.chunked and cut is None:
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
        self.close_connection = self.close_connection or cut is not None
