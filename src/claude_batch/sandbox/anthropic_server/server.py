"""A test server of the Message Batches API on 127.0.0.1.

    with BatchesServer() as server:
        environ = {"ANTHROPIC_API_KEY": "sandbox", "ANTHROPIC_BASE_URL": server.url}

It accepts and rejects the same requests as the real API, and at the same point: envelopes when a
batch is created, params when the batch has ended. `reviewer` writes the model's replies. Tests
cause failures with `faults`; see `fail_calls`.
"""

import json
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from claude_batch.sandbox.anthropic_server.models import CATALOGUE
from claude_batch.sandbox.anthropic_server.responses import (
    AnthropicErrorResponse,
    Json,
    error_envelope,
    new_id,
    render_message,
)
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply, review
from claude_batch.sandbox.anthropic_server.store import BatchStore
from claude_batch.sandbox.anthropic_server.usage import count_input_tokens
from claude_batch.sandbox.anthropic_server.validation import find_params_error
from claude_batch.sandbox.http_messages import (
    CHUNK,
    Fault,
    FindFault,
    HttpRequest,
    HttpResponse,
    no_fault,
)
from claude_batch.sandbox.http_server import SandboxServer, utc_now

MAX_BYTES = 256_000_000  # of one request
MAX_LISTED = 1000  # batches on one page
VERSIONS = ("2023-06-01", "2026-10-21")
JSON_HEADERS = {"content-type": "application/json"}


class BatchesServer(SandboxServer):
    """The Message Batches API.

    `seconds`: how long a batch takes, by the clock `now`; more than 24 hours lets requests expire.
    `cancel_seconds`: how long it stays canceling. `keys`: None accepts every key that is not empty.
    """

    def __init__(  # noqa: PLR0913 - each has a default, and tests set one or two
        self,
        *,
        seconds: float = 0.0,
        cancel_seconds: float = 0.0,
        reviewer: Callable[[Json], ModelReply] = review,
        now: Callable[[], datetime] = utc_now,
        keys: frozenset[str] | None = None,
        faults: FindFault = no_fault,
        max_bytes: int = MAX_BYTES,
        port: int = 0,
    ) -> None:
        super().__init__(port, now, faults)
        self._max_bytes = max_bytes
        self._keys = keys
        self._reviewer = reviewer
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="claude-batch-sandbox-")
        self._store = BatchStore(Path(self._folder.name), now, reviewer, seconds, cancel_seconds)

    def stop(self) -> None:
        super().stop()
        self._folder.cleanup()

    def submitted(self) -> Iterator[tuple[str, str, Json]]:
        """All requests of all batches: (batch id, custom_id, params)."""
        for batch in reversed(self._store.newest_first()):
            for custom_id, params in self._store.requests(batch.id):
                yield batch.id, custom_id, params

    def respond(self, request: HttpRequest) -> HttpResponse:
        request_id = new_id("req")
        try:
            self._admit(request)
            _ = request.body  # read before the lock is taken: a slow client holds up nobody
            with self._lock:
                response = self._route(request)
        except AnthropicErrorResponse as error:
            body = json.dumps(error_envelope(error.kind, str(error), request_id)).encode()
            response = HttpResponse(error.status, body, JSON_HEADERS)
        return replace(response, headers={**response.headers, "request-id": request_id})

    def render_error(self, fault: Fault) -> HttpResponse:
        request_id = new_id("req")
        envelope = error_envelope(fault.kind, fault.message, request_id, fault.details)
        headers = {**JSON_HEADERS, "request-id": request_id, **fault.headers}
        return HttpResponse(fault.status or 500, json.dumps(envelope).encode(), headers)

    def _route(self, request: HttpRequest) -> HttpResponse:
        is_known_path = False
        for method, pattern, endpoint in ROUTES:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                return endpoint(self, request, *match.groups())
            is_known_path = is_known_path or bool(match)
        if is_known_path:
            raise AnthropicErrorResponse(405, "invalid_request_error", "Method Not Allowed")
        raise AnthropicErrorResponse(404, "not_found_error", "Not Found")

    def _admit(self, request: HttpRequest) -> None:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        key = request.headers.get("x-api-key") or bearer
        if not key or (self._keys is not None and key not in self._keys):
            raise AnthropicErrorResponse(401, "authentication_error", "invalid x-api-key")
        version = _version(request)
        if version not in VERSIONS:
            problem = f"{version!r} is not a valid version" if version else "required"
            raise _invalid(f"anthropic-version: {problem}")
        if "chunked" in request.headers.get("transfer-encoding", ""):
            raise AnthropicErrorResponse(411, "invalid_request_error", "content-length is required")
        if request.size > self._max_bytes:
            message = "Request exceeds the maximum size"
            raise AnthropicErrorResponse(413, "request_too_large", message)

    def create(self, request: HttpRequest) -> HttpResponse:
        batch = self._store.create(request.body, _version(request))
        return _json(self._store.json(batch, self.url, "in_progress"))

    def list_batches(self, request: HttpRequest) -> HttpResponse:
        limit, batches = _limit(request), self._store.newest_first()
        ids = [batch.id for batch in batches]
        after, before = request.parameters.get("after_id"), request.parameters.get("before_id")
        for cursor in (after, before):
            if cursor is not None and cursor not in ids:
                raise _invalid(f"no batch with id {cursor}")
        if before is not None:
            end = ids.index(before)
            start = max(0, end - limit)
            page, has_more = batches[start:end], start > 0
        else:
            start = ids.index(after) + 1 if after is not None else 0
            page, has_more = batches[start : start + limit], start + limit < len(batches)
        data = [self._store.json(batch, self.url) for batch in page]
        first, last = (page[0].id, page[-1].id) if page else (None, None)
        return _json({"data": data, "has_more": has_more, "first_id": first, "last_id": last})

    def retrieve(self, request: HttpRequest, batch_id: str) -> HttpResponse:
        return _json(self._store.json(self._store.get(batch_id), self.url))

    def cancel(self, request: HttpRequest, batch_id: str) -> HttpResponse:
        return _json(self._store.cancel(batch_id))

    def delete(self, request: HttpRequest, batch_id: str) -> HttpResponse:
        return _json(self._store.delete(batch_id))

    def results(self, request: HttpRequest, batch_id: str) -> HttpResponse:
        disposition = f'attachment; filename="{batch_id}_results.jsonl"'
        headers = {"content-type": "application/x-jsonl", "content-disposition": disposition}
        body = self._store.results(batch_id)
        chunks = [body[start : start + CHUNK] for start in range(0, len(body), CHUNK)]
        return HttpResponse(200, chunks, headers)

    def create_message(self, request: HttpRequest) -> HttpResponse:
        params = _parse_params(request)
        reply = self._reviewer(params)
        if reply.result != "succeeded":
            raise AnthropicErrorResponse(500, *reply.error)
        now = self.now()
        counts = self._store.cache.count(params, now, now)
        return _json(render_message(params, reply, counts, "standard"))

    def count_tokens(self, request: HttpRequest) -> HttpResponse:
        params = _parse_params(request, max_tokens=1)
        return _json({"input_tokens": count_input_tokens(params)})

    def model(self, request: HttpRequest, name: str) -> HttpResponse:
        if name not in CATALOGUE:
            raise AnthropicErrorResponse(404, "not_found_error", f"model: {name}")
        return _json(CATALOGUE[name].json())


ROUTES: tuple[tuple[str, re.Pattern[str], Callable[..., HttpResponse]], ...] = (
    ("POST", re.compile("/v1/messages/batches"), BatchesServer.create),
    ("GET", re.compile("/v1/messages/batches"), BatchesServer.list_batches),
    ("GET", re.compile("/v1/messages/batches/([^/]+)"), BatchesServer.retrieve),
    ("DELETE", re.compile("/v1/messages/batches/([^/]+)"), BatchesServer.delete),
    ("POST", re.compile("/v1/messages/batches/([^/]+)/cancel"), BatchesServer.cancel),
    ("GET", re.compile("/v1/messages/batches/([^/]+)/results"), BatchesServer.results),
    ("POST", re.compile("/v1/messages"), BatchesServer.create_message),
    ("POST", re.compile("/v1/messages/count_tokens"), BatchesServer.count_tokens),
    ("GET", re.compile("/v1/models/([^/]+)"), BatchesServer.model),
)


def _invalid(message: str) -> AnthropicErrorResponse:
    return AnthropicErrorResponse(400, "invalid_request_error", message)


def _json(body: Json) -> HttpResponse:
    return HttpResponse(200, json.dumps(body).encode(), JSON_HEADERS)


def _version(request: HttpRequest) -> str:
    return request.headers.get("anthropic-version", "")


def _limit(request: HttpRequest) -> int:
    limit = request.parameters.get("limit", "20")
    if not (limit.isdigit() and 1 <= int(limit) <= MAX_LISTED):
        raise _invalid(f"limit: must be between 1 and {MAX_LISTED}")
    return int(limit)


def _parse_params(request: HttpRequest, **defaults: object) -> Json:
    """Parse and validate the params of one message. `defaults` are keys that need not be sent."""
    try:
        params = json.loads(request.body)
    except ValueError as error:
        raise _invalid(f"The request body is not valid JSON: {error}") from error
    complete = params | defaults if isinstance(params, dict) else params
    problem = find_params_error(complete, _version(request), batch=False)
    if problem:
        raise AnthropicErrorResponse(404 if problem[0] == "not_found_error" else 400, *problem)
    checked: Json = params
    return checked
