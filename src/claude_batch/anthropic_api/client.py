"""Client of the Anthropic API: the Messages, Batches and Models APIs.

Only reads are retried, and no redirect is followed: it could send code or reviews to an unknown
host. The imports of the SDK stand inside functions, because importing it takes 2 s and 77 MB.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from functools import cached_property
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Literal, TypeVar, assert_never

from pydantic import ValidationError

from claude_batch import http_headers
from claude_batch.anthropic_api import errors
from claude_batch.anthropic_api.models import (
    ApiFields,
    BatchId,
    BatchListing,
    BatchPage,
    MessageResponse,
    RemoteBatch,
    RemoteModel,
    TokenCountResponse,
)
from claude_batch.anthropic_api.request_body import BatchPayload, Body
from claude_batch.anthropic_api.retry import retry_read
from claude_batch.anthropic_api.sdk import CONNECT_TIMEOUT, build_sdk_client, key_scope
from claude_batch.errors import CannotCollect, CannotFind, CannotSubmit, SubmitUnclear
from claude_batch.git.temporary_files import open_unnamed, storage_errors, write_all

if TYPE_CHECKING:
    import anthropic
    import httpx2

BATCHES = "/v1/messages/batches"
MAX_BYTES = 256_000_000  # per batch; the documented limit is 256 MB
PAGE_SIZE = 100
MAX_PAGES = 1_000
READ_TIMEOUT = 60.0  # seconds without a byte
ANSWER_TIMEOUT = 600.0  # the same, while the model computes an answer
CHUNK = 1 << 16

Method = Literal["get", "post", "delete"]
Result = TypeVar("Result")
ResponseModel = TypeVar("ResponseModel", bound=ApiFields)


class AnthropicClient:
    """Sending raises CannotSubmit, and so does any call without a key; reading CannotCollect."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        sleep: Callable[[float], None],
        timeout: float = READ_TIMEOUT,
        answer_timeout: float = ANSWER_TIMEOUT,
        jitter: Callable[[], float] = random.random,
        max_bytes: int = MAX_BYTES,
        open_spool: Callable[[], RawIOBase] = open_unnamed,
    ) -> None:
        """Timeouts are in seconds and per socket operation. A batch has at most `max_bytes`."""
        self._environ = environ
        self._sleep = sleep
        self._timeout = timeout
        self._answer_timeout = answer_timeout
        self._open_spool = open_spool
        self._jitter = jitter
        self._max_bytes = max_bytes

    @cached_property
    def _client(self) -> "anthropic.Anthropic":
        return build_sdk_client(self._environ, self._timeout)

    @cached_property
    def key_scope(self) -> str:
        """The key and the workspace for which this client sends; see `sdk.key_scope`."""
        return key_scope(self._environ)

    def close(self) -> None:
        """Close kept-alive connections; the next call opens new ones."""
        client: anthropic.Anthropic | None = self.__dict__.pop("_client", None)
        if client:
            client.close()

    def check_key(self) -> None:
        """Raise CannotSubmit if there is no usable key. Sends no request."""
        _ = self._client

    def create_batch(self, requests: Iterable[tuple[str, Body]]) -> RemoteBatch:
        """Send pairs of custom_id and body as one batch, without retries.

        Raises SubmitUnclear if the batch may exist in spite of the error, else CannotSubmit.
        """
        payload = BatchPayload(tuple(requests))
        if payload.size > self._max_bytes:
            raise CannotSubmit(
                f"a batch of {payload.size / 1e6:.0f} MB was not sent: the API takes "
                f"{self._max_bytes / 1e6:.0f} MB",
                errors.REMEDY_BY_STATUS[413],
            )
        return _parse_accepted(self._send(BATCHES, payload, self._timeout), RemoteBatch)

    def create_message(self, params: bytes, timeout: float | None = None) -> bytes:
        """Return the answer to one request as JSON. No retries; raises like `create_batch`."""
        message = self._send("/v1/messages", params, timeout or self._answer_timeout)
        _parse_accepted(message, MessageResponse)
        return message

    def count_tokens(self, message: bytes) -> int | None:
        """The input tokens of a message, counted free of charge. None without key or answer."""
        try:
            answer = self._send("/v1/messages/count_tokens", message, CONNECT_TIMEOUT)
            return _parse_accepted(answer, TokenCountResponse).input_tokens
        except CannotSubmit:
            return None  # the estimate then names another basis

    def retrieve_batch(self, batch: BatchId) -> RemoteBatch:
        answer = self._fetch("get", f"{BATCHES}/{batch}")
        retry_after = http_headers.parse_retry_after(answer.headers)
        return _parse(answer, RemoteBatch).model_copy(update={"retry_after": retry_after})

    def cancel_batch(self, batch: BatchId) -> RemoteBatch:
        """Idempotent: an ended batch is returned unchanged."""
        import anthropic

        try:
            return _parse(self._fetch("post", f"{BATCHES}/{batch}/cancel"), RemoteBatch)
        except CannotCollect as refusal:
            if not isinstance(refusal.__cause__, anthropic.BadRequestError):
                raise
            remote_batch = self.retrieve_batch(batch)
            if remote_batch.status != "ended":
                raise
            return remote_batch

    def delete_batch(self, batch: BatchId) -> None:
        """Delete an ended batch with its results. A batch that is unknown counts as deleted."""
        try:
            self._fetch("delete", f"{BATCHES}/{batch}", retry_missing=False)
        except CannotFind:
            return

    def list_batches(self, since: datetime) -> BatchListing:
        """Batches of the key's workspace that were created at or after `since`, newest first."""
        batches: dict[BatchId, RemoteBatch] = {}
        answer = self._fetch("get", f"{BATCHES}?limit={PAGE_SIZE}")
        listed_at = http_headers.parse_date(answer.headers)
        for _ in range(MAX_PAGES):
            page = _parse(answer, BatchPage)
            recent = {
                batch.id: batch
                for batch in page.data
                if batch.created_at is None or batch.created_at >= since
            }
            # A page with nothing new: the cursor does not move, and so would never reach the end.
            is_last = not page.has_more or len(recent) < len(page.data)
            if is_last or recent.keys() <= batches.keys():
                return BatchListing((*(batches | recent).values(),), listed_at)
            batches |= recent
            last_id = page.data[-1].id
            answer = self._fetch("get", f"{BATCHES}?limit={PAGE_SIZE}&after_id={last_id}")
        raise CannotCollect(
            f"the list of batches has more than {MAX_PAGES * PAGE_SIZE:,} entries",
            "check ANTHROPIC_BASE_URL and any proxy on the way",
        )

    def stream_results(self, batch: BatchId) -> Iterator[bytes]:
        """Yield the result lines of an ended batch as JSON, in any order.

        There may be too few: behind a proxy with HTTP/1.0 a stream that was cut ends without an
        error. So the caller counts them.
        """
        # Not `results_url`: it is absolute, and the SDK would send the key to any host in it.
        path = f"{BATCHES}/{batch}/results"
        with self._open_spool() as spool:
            # The stream cannot be resumed, so a retry downloads it from the start.
            self._with_retries(lambda: self._download(path, spool))
            spool.seek(0)
            with BufferedReader(spool, CHUNK) as lines:
                for line in lines:
                    if line.strip():
                        yield line.rstrip(b"\r\n")

    def retrieve_model(self, name: str) -> RemoteModel | None:
        """Return None if the API does not know the model."""
        try:
            return _parse(
                self._fetch("get", f"/v1/models/{name}", retry_missing=False), RemoteModel
            )
        except CannotFind:
            return None

    def _send(self, path: str, content: bytes | BatchPayload, timeout: float) -> bytes:
        import anthropic
        import httpx2

        headers = {"content-type": "application/json"}
        # Without a length, an iterable is sent in chunked encoding.
        if isinstance(content, BatchPayload):
            headers["content-length"] = str(content.size)
        options: anthropic.RequestOptions = {
            "headers": headers,
            "timeout": timeout,
            "follow_redirects": False,
        }
        try:
            return self._client.post(
                path, cast_to=httpx2.Response, content=content, options=options
            ).content
        except anthropic.AnthropicError as error:
            raise errors.submit_error(error) from error

    def _fetch(self, method: Method, path: str, *, retry_missing: bool = True) -> "httpx2.Response":
        import httpx2

        def fetch_once() -> httpx2.Response:
            options: anthropic.RequestOptions = {"follow_redirects": False}
            match method:
                case "get":
                    return self._client.get(path, cast_to=httpx2.Response, options=options)
                case "post":
                    return self._client.post(path, cast_to=httpx2.Response, options=options)
                case "delete":
                    return self._client.delete(path, cast_to=httpx2.Response, options=options)
                case _:
                    assert_never(method)

        return self._with_retries(fetch_once, retry_missing=retry_missing)

    def _download(self, path: str, spool: RawIOBase) -> None:
        import httpx2

        if spool.tell():  # an earlier try was cut off
            spool.seek(0)
            spool.truncate()
        # The header of the SDK's with_streaming_response, which takes no path.
        options: anthropic.RequestOptions = {
            "headers": {"X-Stainless-Raw-Response": "stream"},
            "follow_redirects": False,
        }
        with closing(self._client.get(path, cast_to=httpx2.Response, options=options)) as response:
            for chunk in response.iter_bytes(CHUNK):
                with storage_errors(CannotCollect, "the results"):
                    write_all(spool, chunk)

    def _with_retries(
        self, operation: Callable[[], Result], *, retry_missing: bool = True
    ) -> Result:
        # A new batch can be a 404 for a while:
        # https://github.com/anthropics/anthropic-sdk-python/issues/1432
        return retry_read(
            operation, retry_missing=retry_missing, sleep=self._sleep, jitter=self._jitter
        )


def _parse_accepted(content: bytes, model: type[ResponseModel]) -> ResponseModel:
    """Parse the answer to a request that is paid for. Raises SubmitUnclear."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        problem = (
            "the answer of the Anthropic API cannot be read, so the request may have been accepted"
        )
        raise SubmitUnclear(problem, errors.CHECK_FIRST) from error


def _parse(response: "httpx2.Response", model: type[ResponseModel]) -> ResponseModel:
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        raise CannotCollect(
            "the Anthropic API answered with something that is not its own format",
            "check ANTHROPIC_BASE_URL and any proxy on the way; a newer claude-batch may help",
        ) from error
