"""Client of the Anthropic API. Only this file imports the SDK.

The imports of the SDK stand inside functions: importing it takes 2 s and 77 MB. Only reads are
retried, and no redirect is followed: it could send code or reviews to an unknown host.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from claude_batch import http_headers
from claude_batch.anthropic_api.errors import CHECK_FIRST, DEFAULT_REMEDY, ApiError
from claude_batch.anthropic_api.models import (
    ApiFields,
    BatchId,
    BatchListing,
    BatchPageResponse,
    BatchResponse,
    MessageResponse,
    ModelResponse,
    RemoteBatch,
    RemoteModel,
    TokenCountResponse,
)
from claude_batch.anthropic_api.request_body import BatchPayload, Body
from claude_batch.errors import CannotCollect, CannotFind, CannotSubmit, SubmitUnclear
from claude_batch.git.temporary_files import open_unnamed, storage_errors, write_all

if TYPE_CHECKING:
    import anthropic
    import httpx2
    from tenacity import RetryCallState

__all__ = ["AnthropicClient", "RemoteBatch", "RemoteModel"]
OFFICIAL = "https://api.anthropic.com"
BATCHES = "/v1/messages/batches"
MAX_BYTES = 256_000_000  # per batch; the documented limit is 256 MB
PAGE_SIZE = 100
ATTEMPTS = 5
CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 60.0  # seconds without a byte
ANSWER_TIMEOUT = 600.0  # the same, while the model computes an answer
CHUNK = 1 << 16
IDENTITY, IDENTITY_FILE = "ANTHROPIC_IDENTITY_TOKEN", "ANTHROPIC_IDENTITY_TOKEN_FILE"
FEDERATION_RULE, ORGANIZATION = "ANTHROPIC_FEDERATION_RULE_ID", "ANTHROPIC_ORGANIZATION_ID"

KEY_REMEDY = (
    "set ANTHROPIC_API_KEY to a key from the Anthropic Console; in GitHub Actions, as a secret "
    "of the repository"
)

Result = TypeVar("Result")
ResponseModel = TypeVar("ResponseModel", bound=ApiFields)


class AnthropicClient:
    """The Messages, Batches and Models APIs. Sending raises CannotSubmit, reading CannotCollect."""

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
        """Timeouts are in seconds and per socket operation. A batch has at most `max_bytes`.

        The first call that needs the key raises CannotSubmit if there is none.
        """
        self._environ = environ
        self._sleep = sleep
        self._timeout = timeout
        self._answer_timeout = answer_timeout
        self._open_spool = open_spool
        self._jitter = jitter
        self._max_bytes = max_bytes

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
                "submit less at a time, with --paths or more `exclude` in the config",
            )
        content = self._send(BATCHES, payload, self._timeout)
        return _parse_accepted(content, BatchResponse).to_remote_batch()

    def create_message(self, params: bytes) -> bytes:
        """Send one request of the lane `now` and return the message as JSON, without retries.

        Raises like `create_batch`.
        """
        message = self._send("/v1/messages", params, self._answer_timeout)
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
        remote_batch = _parse(answer.content, BatchResponse).to_remote_batch()
        return replace(remote_batch, retry_after=http_headers.parse_retry_after(answer.headers))

    def cancel_batch(self, batch: BatchId) -> RemoteBatch:
        """Idempotent: an ended batch is returned unchanged."""
        import anthropic

        try:
            answer = self._fetch("post", f"{BATCHES}/{batch}/cancel")
            return _parse(answer.content, BatchResponse).to_remote_batch()
        except CannotCollect as refusal:
            if not isinstance(refusal.__cause__, anthropic.BadRequestError):
                raise
            remote_batch = self.retrieve_batch(batch)
            if remote_batch.status != "ended":
                raise
            return remote_batch

    def list_batches(self, since: datetime) -> BatchListing:
        """Batches of the key's workspace that were created at or after `since`, newest first."""
        batches: list[RemoteBatch] = []
        answer = self._fetch("get", f"{BATCHES}?limit={PAGE_SIZE}")
        listed_at = http_headers.parse_date(answer.headers)
        while True:
            page = _parse(answer.content, BatchPageResponse)
            new = [batch.to_remote_batch() for batch in page.data if batch.created_at >= since]
            batches += new
            if not page.has_more or not new or len(new) < len(page.data):
                return BatchListing(tuple(batches), listed_at)
            next_path = f"{BATCHES}?limit={PAGE_SIZE}&after_id={page.data[-1].id}"
            answer = self._fetch("get", next_path)

    def stream_results(self, batch: BatchId) -> Iterator[bytes]:
        """Yield the result lines of an ended batch as JSON, in any order."""
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
            answer = self._fetch("get", f"/v1/models/{name}", retry_missing=False)
            return _parse(answer.content, ModelResponse).to_remote_model()
        except CannotFind:
            return None

    def _send(self, path: str, content: bytes | BatchPayload, timeout: float) -> bytes:
        import anthropic
        import httpx2

        headers = {"content-type": "application/json"}
        # Without a length, an iterable is sent in chunked encoding.
        if isinstance(content, BatchPayload):
            headers["content-length"] = str(content.size)
        try:
            response = self._client.post(
                path,
                cast_to=httpx2.Response,
                content=content,
                options={
                    "headers": headers,
                    "timeout": timeout,
                    "follow_redirects": False,
                },
            )
        except anthropic.AnthropicError as error:
            raise _submit_error(error) from error
        return response.content

    def _fetch(self, method: str, path: str, *, retry_missing: bool = True) -> "httpx2.Response":
        import httpx2

        def fetch_once() -> httpx2.Response:
            call = self._client.get if method == "get" else self._client.post
            options: anthropic.RequestOptions = {"follow_redirects": False}
            return call(path, cast_to=httpx2.Response, options=options)

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
            last = b""
            for chunk in response.iter_bytes(CHUNK):
                with storage_errors(CannotCollect, "the results"):
                    write_all(spool, chunk)
                last = (last + chunk)[-8:]
        if last and not last.rstrip().endswith(b"}"):
            # Behind a proxy with HTTP/1.0 a stream that was cut ends without an error.
            raise httpx2.RemoteProtocolError("the last line of the results is cut")

    def _with_retries(
        self, operation: Callable[[], Result], *, retry_missing: bool = True
    ) -> Result:
        """Run an idempotent operation, again after each transient error."""
        import anthropic
        import httpx2
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        retrying = Retrying(
            # A new batch can be a 404 for a while:
            # https://github.com/anthropics/anthropic-sdk-python/issues/1432
            retry=retry_if_exception(lambda error: _is_transient(error, missing=retry_missing)),
            stop=stop_after_attempt(ATTEMPTS),
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(operation)
        except anthropic.APIStatusError as error:
            refusal = _parse_error(error)
            kind = CannotFind if error.status_code == 404 else CannotCollect
            raise kind(refusal.problem, refusal.remedy) from error
        except (anthropic.AnthropicError, httpx2.HTTPError) as error:
            raise CannotCollect(*_describe_failure(error)) from error

    def _wait(self, state: "RetryCallState") -> float:
        import anthropic

        error = state.outcome.exception() if state.outcome else None
        retry_after = (
            _parse_error(error).retry_after if isinstance(error, anthropic.APIStatusError) else None
        )
        return http_headers.backoff(state.attempt_number, retry_after, self._jitter())

    @cached_property
    def _client(self) -> "anthropic.Anthropic":
        key, token = _load_key(self._environ)
        if not (key or token or _has_federation(self._environ)):
            raise CannotSubmit("there is no key for the Anthropic API", KEY_REMEDY)
        import anthropic
        import httpx2

        base = self._environ.get("ANTHROPIC_BASE_URL", "").strip() or OFFICIAL
        if not base.startswith(("https://", "http://")):
            raise _bad_base_url(base)
        workspace = self._environ.get("ANTHROPIC_WORKSPACE_ID")
        try:
            return anthropic.Anthropic(
                api_key=key,
                auth_token=token,
                credentials=None if key or token else _federation_credentials(self._environ),
                base_url=base,
                # The SDK would repeat a create, which makes a second batch that is paid for, and
                # would send the second time an iterable that is used up.
                max_retries=0,
                timeout=anthropic.Timeout(self._timeout, connect=CONNECT_TIMEOUT),
                # A federation token belongs to one workspace, and the API refuses the header.
                default_headers={"anthropic-workspace-id": workspace}
                if workspace and (key or token)
                else None,
            )
        except httpx2.InvalidURL as error:
            raise _bad_base_url(base) from error


def _bad_base_url(base: str) -> CannotSubmit:
    return CannotSubmit(
        f"ANTHROPIC_BASE_URL is not a web address: {base}",
        f"unset it, or set it to something like {OFFICIAL}",
    )


def _load_key(environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The API key, or else the token. Raises CannotSubmit for an impossible value."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        value = environ.get(name, "").strip()  # a secret is often pasted with its newline
        if not value:
            continue
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise CannotSubmit(
                f"{name} cannot be a key: it has spaces or special characters", KEY_REMEDY
            )
        return (value, None) if name == "ANTHROPIC_API_KEY" else (None, value)
    return None, None


def _has_federation(environ: Mapping[str, str]) -> bool:
    identity = environ.get(IDENTITY_FILE) or environ.get(IDENTITY)
    return bool(identity and environ.get(FEDERATION_RULE) and environ.get(ORGANIZATION))


def _federation_credentials(environ: Mapping[str, str]) -> "anthropic.WorkloadIdentityCredentials":
    """Credentials that exchange the job's identity token for a short-lived one.

    https://platform.claude.com/docs/en/manage-claude/workload-identity-federation
    """
    import anthropic

    file, literal = environ.get(IDENTITY_FILE), environ.get(IDENTITY, "")
    return anthropic.WorkloadIdentityCredentials(
        identity_token_provider=anthropic.IdentityTokenFile(file) if file else lambda: literal,
        federation_rule_id=environ[FEDERATION_RULE],
        organization_id=environ[ORGANIZATION],
        service_account_id=environ.get("ANTHROPIC_SERVICE_ACCOUNT_ID") or None,
        workspace_id=environ.get("ANTHROPIC_WORKSPACE_ID") or None,
    )


def _parse_accepted(raw: bytes, model: type[ResponseModel]) -> ResponseModel:
    """Parse the answer to a request that is paid for. Raises SubmitUnclear."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        problem = (
            "the answer of the Anthropic API cannot be read, so the request may have been accepted"
        )
        raise SubmitUnclear(problem, CHECK_FIRST) from error


def _parse(raw: bytes, model: type[ResponseModel]) -> ResponseModel:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise CannotCollect(
            "the Anthropic API answered with something that is not its own format",
            "check ANTHROPIC_BASE_URL and any proxy on the way; a newer claude-batch may help",
        ) from error


def _parse_error(error: "anthropic.APIStatusError") -> ApiError:
    message = error.api_message if isinstance(error.api_message, str) else None
    return ApiError(
        error.status_code,
        error.type,
        error.error_code,
        message,
        error.response.headers,
    )


def _submit_error(error: "anthropic.AnthropicError") -> CannotSubmit:
    """SubmitUnclear, unless the error proves that the request was not accepted."""
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        refusal = _parse_error(error)
        if refusal.outcome_unknown:
            return SubmitUnclear(refusal.problem, CHECK_FIRST)
        return CannotSubmit(refusal.problem, refusal.remedy)
    before_first_byte = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.LocalProtocolError,
        httpx2.PoolTimeout,
        httpx2.ProxyError,
        httpx2.UnsupportedProtocol,
    )
    problem, remedy = _describe_failure(error)
    is_connection_error = isinstance(error, anthropic.APIConnectionError)
    if is_connection_error and not isinstance(error.__cause__, before_first_byte):
        return SubmitUnclear(problem, CHECK_FIRST)
    return CannotSubmit(problem, remedy)


def _describe_failure(error: Exception) -> tuple[str, str]:
    """Problem and remedy of a failure without an answer."""
    import anthropic

    cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else error
    detail = " ".join(str(cause).split())[:200] or type(cause).__name__
    if isinstance(error, anthropic.AnthropicError) and not isinstance(error, anthropic.APIError):
        return f"the Anthropic credentials cannot be used: {detail}", KEY_REMEDY
    return f"the connection to the Anthropic API failed: {detail}", DEFAULT_REMEDY


def _is_transient(error: BaseException, *, missing: bool) -> bool:
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        return _parse_error(error).is_retryable or (missing and error.status_code == 404)
    return isinstance(error, anthropic.APIConnectionError | httpx2.TransportError)
