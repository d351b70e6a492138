"""The HTTP server behind both test servers."""

import json
import socket
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from claude_batch.sandbox.http_messages import (
    CHUNK,
    Fault,
    FindFault,
    HttpRequest,
    HttpResponse,
    LoggedRequest,
)


def utc_now() -> datetime:
    return datetime.now(UTC)


class SandboxServer(ABC):
    """A server on 127.0.0.1 that runs from `start` to `stop`, or as a context manager.

    `faults` sees each request first, and may be replaced at any time.
    """

    keep_alive = True

    def __init__(self, port: int, now: Callable[[], datetime], faults: FindFault) -> None:
        self.now = now
        self.faults = faults
        self.log: list[LoggedRequest] = []
        self._stopped = threading.Event()
        self._http = _HttpServer(port, self)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @abstractmethod
    def respond(self, request: HttpRequest) -> HttpResponse:
        """Carry out a request."""

    @abstractmethod
    def render_error(self, fault: Fault) -> HttpResponse:
        """Return the API's error response for a fault without a body of its own."""

    def find_fault(self, request: HttpRequest) -> Fault | None:
        return self.faults(request)

    def describe(self, request: HttpRequest, response: HttpResponse | None) -> LoggedRequest:
        """Return the log entry of a request."""
        status = response.status if response else 0
        return LoggedRequest(request.method, request.path, request.size, status)

    def handle(self, request: HttpRequest) -> HttpResponse | None:
        """Return the response, or the fault's; None to close the connection."""
        fault = self.find_fault(request)
        response: HttpResponse | None
        if fault is None:
            response = self.respond(request)
        elif fault.cut is not None:
            response = replace(self.respond(request), cut=fault.cut)
        else:
            if fault.after:
                for _ in _chunks(self.respond(request).body):
                    pass  # git ends only when its output has been read
            response = self._fail(fault)
        self.log.append(self.describe(request, response))
        if fault and fault.hang:
            self._stopped.wait()
        return response

    def _fail(self, fault: Fault) -> HttpResponse | None:
        if fault.status is None or fault.hang:
            return None
        response = self.render_error(fault)
        if fault.body is None:
            return response
        body = fault.body if isinstance(fault.body, bytes) else json.dumps(fault.body).encode()
        return replace(response, body=body)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stopped.set()
        self._http.shutdown()
        self._http.hang_up()
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, sandbox: SandboxServer) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.sandbox = sandbox
        self.connections: set[socket.socket] = set()

    def hang_up(self) -> None:
        """End the connections that are kept alive: their threads would wait for ever."""
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                self.connections.discard(connection)  # the client was first

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up is normal; the base class prints all other errors.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = CHUNK  # headers and body leave together
    server: _HttpServer

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        try:
            super().finish()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client did not wait for the rest

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def date_time_string(self, timestamp: float | None = None) -> str:
        # The Date of each response follows the sandbox's clock.
        return format_datetime(self.server.sandbox.now().astimezone(UTC), usegmt=True)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: `SandboxServer.log` is the log."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        is_chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = int(headers.get("content-length", "0"))
        source = _ChunkedBody(self.rfile) if is_chunked else _SizedBody(self.rfile, length)
        request = HttpRequest(self.command, parts.path, parts.query, headers, source)
        response = self.server.sandbox.handle(request)
        if response is None:
            self.close_connection = True
            return
        if isinstance(response.body, bytes):
            # A client that is still sending would not see the response.
            request.drain()
        self._send(response)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

    def _send(self, response: HttpResponse) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if not isinstance(response.body, bytes):
            self.send_header("transfer-encoding", "chunked")
        elif response.status != 204:
            self.send_header("content-length", str(len(response.body)))
        if not self.server.sandbox.keep_alive:
            self.send_header("connection", "close")
        self.end_headers()
        self._send_body(response)
        self.wfile.flush()

    def _send_body(self, response: HttpResponse) -> None:
        remaining = sys.maxsize if response.cut is None else response.cut
        for chunk in _chunks(response.body):
            sent = chunk[:remaining]
            remaining -= len(sent)
            is_chunked = not isinstance(response.body, bytes)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(sent), sent) if is_chunked and sent else sent)
        if response.cut is not None:
            self.close_connection = True
        elif not isinstance(response.body, bytes):
            self.wfile.write(b"0\r\n\r\n")


def _chunks(body: bytes | Iterable[bytes]) -> Iterator[bytes]:
    if isinstance(body, bytes):
        yield body
    else:
        yield from body


class _SizedBody:
    def __init__(self, stream: BufferedIOBase, length: int) -> None:
        self._stream, self._remaining = stream, length

    def read(self, size: int) -> bytes:
        content = self._stream.read(min(size, self._remaining))
        # A client that hung up sends nothing more.
        self._remaining = self._remaining - len(content) if content else 0
        return content


class _ChunkedBody:
    """A body in chunks, which git sends if a pack is larger than `http.postBuffer`."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream, self._remaining, self._has_ended = stream, 0, False

    def read(self, size: int) -> bytes:
        if not self._remaining and not self._has_ended:
            self._remaining = int(self._stream.readline().split(b";")[0], 16)
            self._has_ended = self._remaining == 0
            if self._has_ended:
                while self._stream.readline().strip():
                    pass  # trailers, and the empty line after them
        content = self._stream.read(min(size, self._remaining))
        self._remaining -= len(content)
        if content and not self._remaining:
            self._stream.readline()
        return content
