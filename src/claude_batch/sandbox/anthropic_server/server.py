"""A look-alike of the Message Batches API: a real HTTP server on 127.0.0.1.

    with BatchesServer() as server:
        environ = {"ANTHROPIC_API_KEY": "sandbox", "ANTHROPIC_BASE_URL": server.url}

It accepts what the real one accepts and refuses what that refuses, at the same point: envelopes
when a batch is created, params when it has ended. What it answers is up to `reviewer`. Tests make
things go wrong with `faults`, a function that sees each call first; see `failing`.
"""

import json
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from claude_batch.sandbox.anthropic_server.handler import (
    Answer,
    ApiRequest,
    Call,
    Fault,
    Faults,
    HttpServer,
    LoggedApiRequest,
    failing,
)
from claude_batch.sandbox.anthropic_server.models import CATALOGUE
from claude_batch.sandbox.anthropic_server.responses import (
    AnthropicErrorResponse,
    Json,
    error_envelope,
    render_message,
)
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply, review
from claude_batch.sandbox.anthropic_server.store import BatchStore
from claude_batch.sandbox.anthropic_server.usage import count_input_tokens
from claude_batch.sandbox.anthropic_server.validation import find_params_error

__all__ = ["BatchesServer", "Call", "Fault", "Faults", "LoggedApiRequest", "ModelReply", "failing"]
MOST_BYTES = 256_000_000
MOST_LISTED = 1000
VERSIONS = ("2023-06-01", "2026-10-21")


class BatchesServer:
    """Starts with `start` or as a context manager.

    `seconds`: how long a batch takes, by the clock `now`; more than 24 hours lets requests expire.
    `cancel_seconds`: how long it stays canceling. `keys`: None accepts every key that is not empty.
    """

    def __init__(  # noqa: PLR0913 - each has a default, and tests set one or two
        self,
        *,
        seconds: float = 0.0,
        cancel_seconds: float = 0.0,
        reviewer: Callable[[Json], ModelReply] = review,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        keys: frozenset[str] | None = None,
        faults: Faults = lambda call: None,
        most_bytes: int = MOST_BYTES,
        port: int = 0,
    ) -> None:
        self.log: list[LoggedApiRequest] = []
        self.most_bytes = most_bytes
        self._keys = keys
        self._faults = faults
        self.now = now
        self._reviewer = reviewer
        self._calls: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="claude-batch-sandbox-")
        self._store = BatchStore(Path(self._folder.name), now, reviewer, seconds, cancel_seconds)
        self._http = HttpServer(port, self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> "BatchesServer":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stopped.set()
        self._http.shutdown()
        self._http.hang_up()
        self._http.server_close()
        self._thread.join()
        self._folder.cleanup()

    def __enter__(self) -> "BatchesServer":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def submitted(self) -> Iterator[tuple[str, str, Json]]:
        """All that batches hold: (batch id, custom_id, params)."""
        for batch in reversed(self._store.newest_first()):
            for custom_id, params in self._store.requests(batch.id):
                yield batch.id, custom_id, params

    def meet(self, method: str, path: str) -> Fault | None:
        with self._lock:
            self._calls[method, path] += 1
            return self._faults(Call(method, path, self._calls[method, path]))

    def wait_for_stop(self) -> None:
        self._stopped.wait()

    def answer(self, request: ApiRequest) -> Answer:
        try:
            with self._lock:
                return self._routed(request)
        except AnthropicErrorResponse as refused:
            body = error_envelope(refused.kind, str(refused), request.id)
            return Answer(refused.status, json.dumps(body).encode())

    def _routed(self, request: ApiRequest) -> Answer:
        self._admit(request)
        allowed = False
        for method, pattern, handle in ROUTES:
            found = pattern.fullmatch(request.path)
            if found and method == request.method:
                return handle(self, request, *found.groups())
            allowed = allowed or bool(found)
        if allowed:
            raise AnthropicErrorResponse(405, "invalid_request_error", "Method Not Allowed")
        raise AnthropicErrorResponse(404, "not_found_error", "Not Found")

    def _admit(self, request: ApiRequest) -> None:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        key = request.headers.get("x-api-key") or bearer
        if not key or (self._keys is not None and key not in self._keys):
            raise AnthropicErrorResponse(401, "authentication_error", "invalid x-api-key")
        if request.version not in VERSIONS:
            said = f"{request.version!r} is not a valid version" if request.version else "required"
            raise AnthropicErrorResponse(400, "invalid_request_error", f"anthropic-version: {said}")
        if "chunked" in request.headers.get("transfer-encoding", ""):
            raise AnthropicErrorResponse(411, "invalid_request_error", "content-length is required")
        if request.size > self.most_bytes:
            raise AnthropicErrorResponse(
                413, "request_too_large", "Request exceeds the maximum size"
            )

    def create(self, request: ApiRequest) -> Answer:
        batch = self._store.create(request.body, request.version)
        return _json(self._store.json(batch, self.url, "in_progress"))

    def listed(self, request: ApiRequest) -> Answer:
        limit, shown = _limit(request), self._store.newest_first()
        names = [batch.id for batch in shown]
        after, before = request.query.get("after_id"), request.query.get("before_id")
        for cursor in (after, before):
            if cursor is not None and cursor not in names:
                raise AnthropicErrorResponse(
                    400, "invalid_request_error", f"no batch with id {cursor}"
                )
        if before is not None:
            end = names.index(before)
            start = max(0, end - limit)
            page, more = shown[start:end], start > 0
        else:
            start = names.index(after) + 1 if after is not None else 0
            page, more = shown[start : start + limit], start + limit < len(shown)
        data = [self._store.json(batch, self.url) for batch in page]
        ends = (page[0].id, page[-1].id) if page else (None, None)
        return _json({"data": data, "has_more": more, "first_id": ends[0], "last_id": ends[1]})

    def retrieve(self, request: ApiRequest, name: str) -> Answer:
        return _json(self._store.json(self._store.get(name), self.url))

    def cancel(self, request: ApiRequest, name: str) -> Answer:
        return _json(self._store.cancel(name))

    def delete(self, request: ApiRequest, name: str) -> Answer:
        return _json(self._store.delete(name))

    def results(self, request: ApiRequest, name: str) -> Answer:
        headers = {"content-disposition": f'attachment; filename="{name}_results.jsonl"'}
        body = self._store.results(name)
        return Answer(200, body, "application/x-jsonl", headers, chunked=True)

    def ask(self, request: ApiRequest) -> Answer:
        params = _checked(request)
        reply = self._reviewer(params)
        if reply.result != "succeeded":
            raise AnthropicErrorResponse(500, *reply.error)
        now = self.now()
        counts = self._store.cache.count(params, now, now)
        return _json(render_message(params, reply, counts, "standard"))

    def count_tokens(self, request: ApiRequest) -> Answer:
        params = _checked(request, max_tokens=1)
        return _json({"input_tokens": count_input_tokens(params)})

    def model(self, request: ApiRequest, name: str) -> Answer:
        if name not in CATALOGUE:
            raise AnthropicErrorResponse(404, "not_found_error", f"model: {name}")
        return _json(CATALOGUE[name].json())


ROUTES: tuple[tuple[str, re.Pattern[str], Callable[..., Answer]], ...] = (
    ("POST", re.compile("/v1/messages/batches"), BatchesServer.create),
    ("GET", re.compile("/v1/messages/batches"), BatchesServer.listed),
    ("GET", re.compile("/v1/messages/batches/([^/]+)"), BatchesServer.retrieve),
    ("DELETE", re.compile("/v1/messages/batches/([^/]+)"), BatchesServer.delete),
    ("POST", re.compile("/v1/messages/batches/([^/]+)/cancel"), BatchesServer.cancel),
    ("GET", re.compile("/v1/messages/batches/([^/]+)/results"), BatchesServer.results),
    ("POST", re.compile("/v1/messages"), BatchesServer.ask),
    ("POST", re.compile("/v1/messages/count_tokens"), BatchesServer.count_tokens),
    ("GET", re.compile("/v1/models/([^/]+)"), BatchesServer.model),
)


def _json(body: Json) -> Answer:
    return Answer(200, json.dumps(body).encode())


def _limit(request: ApiRequest) -> int:
    text = request.query.get("limit", "20")
    if not (text.isdigit() and 1 <= int(text) <= MOST_LISTED):
        raise AnthropicErrorResponse(
            400, "invalid_request_error", f"limit: must be between 1 and {MOST_LISTED}"
        )
    return int(text)


def _checked(request: ApiRequest, **given: object) -> Json:
    """The params of a message, looked at at once. `given` are keys that need not be sent."""
    try:
        params = json.loads(request.body)
    except ValueError as reason:
        said = f"The request body is not valid JSON: {reason}"
        raise AnthropicErrorResponse(400, "invalid_request_error", said) from reason
    found = find_params_error(
        params | given if isinstance(params, dict) else params, request.version, batch=False
    )
    if found:
        raise AnthropicErrorResponse(404 if found[0] == "not_found_error" else 400, *found)
    checked: Json = params
    return checked
