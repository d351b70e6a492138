"""The Anthropic API: the only file that imports its SDK, and only when it is called (2 s, 77 MB).

The SDK's own retries are off. A repeated `create` is a second batch that is paid for; a file as
content goes out empty the second time; and its sleep is not ours to hand in. What may be repeated
is repeated here, by name. Nor are redirects followed: one could carry somebody's code, or its
review, to a host that nobody chose.
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

from claude_batch import http_headers as patience
from claude_batch.anthropic_api.errors import LOOK_FIRST, OTHERWISE, ApiError
from claude_batch.anthropic_api.models import (
    BatchId,
    BatchListing,
    RemoteBatch,
    RemoteModel,
    Wire,
    WireBatch,
    WireCount,
    WireMessage,
    WireModel,
    WirePage,
)
from claude_batch.anthropic_api.request_body import BatchPayload, Body
from claude_batch.errors import CannotCollect, CannotFind, CannotSubmit, SubmitUnclear
from claude_batch.git.temporary_files import open_unnamed, storage_errors, write_all
from claude_batch.http_headers import parse_date

if TYPE_CHECKING:
    import anthropic
    import httpx2
    from tenacity import RetryCallState

__all__ = ["AnthropicClient", "RemoteBatch", "RemoteModel"]
OFFICIAL = "https://api.anthropic.com"
BATCHES = "/v1/messages/batches"
MAX_BYTES = 256_000_000  # of one create; the limit says MB
PAGE = 100
TRIES = 5
CONNECTING = 10.0  # seconds
READING = 60.0  # seconds without a byte before a read is given up
ANSWERING = 600.0  # the same for an answer that is being computed
CHUNK = 1 << 16
IDENTITY, IDENTITY_FILE = "ANTHROPIC_IDENTITY_TOKEN", "ANTHROPIC_IDENTITY_TOKEN_FILE"
FEDERATION_RULE, ORGANIZATION = "ANTHROPIC_FEDERATION_RULE_ID", "ANTHROPIC_ORGANIZATION_ID"

HOW = (
    "set ANTHROPIC_API_KEY to a key from the Anthropic Console; in GitHub Actions, as a secret "
    "of the repository"
)

Result = TypeVar("Result")
Shape = TypeVar("Shape", bound=Wire)


class AnthropicClient:
    """Raises CannotSubmit where something is asked for, CannotCollect where it is fetched."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        sleep: Callable[[float], None],
        timeout: float = READING,
        answer_timeout: float = ANSWERING,
        jitter: Callable[[], float] = random.random,
        max_bytes: int = MAX_BYTES,
        open_spool: Callable[[], RawIOBase] = open_unnamed,
    ) -> None:
        """Timeouts are in seconds and per socket operation; `most` bytes are sent as one batch.
        A missing key is found at first use."""
        self._environ = environ
        self._sleep = sleep
        self._timeout = timeout
        self._answer_timeout = answer_timeout
        self._spool = open_spool
        self._luck = jitter
        self._most = max_bytes

    def close(self) -> None:
        """Ends kept-alive connections; the next call opens new ones."""
        client: anthropic.Anthropic | None = self.__dict__.pop("_client", None)
        if client:
            client.close()

    def check_key(self) -> None:
        """Raises CannotSubmit where there is no usable key; asks nobody."""
        _ = self._client

    def create_batch(self, requests: Iterable[tuple[str, Body]]) -> RemoteBatch:
        """Send bodies, each with its custom_id, as one batch, in one try.

        Raises SubmitUnclear when the batch may exist all the same, else CannotSubmit.
        """
        envelope = BatchPayload(tuple(requests))
        if envelope.size > self._most:
            raise CannotSubmit(
                f"a batch of {envelope.size / 1e6:.0f} MB was not sent: the API takes "
                f"{self._most / 1e6:.0f} MB",
                "submit less at a time, with --paths or more `exclude` in the config",
            )
        return _paid(self._send(BATCHES, envelope, self._timeout), WireBatch).ours()

    def create_message(self, params: bytes) -> bytes:
        """One request of the lane now, in one try: the message as JSON. Raises like `create`."""
        message = self._send("/v1/messages", params, self._answer_timeout)
        _paid(message, WireMessage)
        return message

    def count_tokens(self, message: bytes) -> int | None:
        """Tokens in of a message, free of charge; None: there is no key, or nobody answers."""
        try:
            answer = self._send("/v1/messages/count_tokens", message, CONNECTING)
            return _paid(answer, WireCount).input_tokens
        except CannotSubmit:
            return None  # an estimate does without, and says so

    def retrieve_batch(self, batch: BatchId) -> RemoteBatch:
        answer = self._fetch("get", f"{BATCHES}/{batch}")
        found = _read(answer.content, WireBatch).ours()
        return replace(found, retry_after=patience.parse_retry_after(answer.headers))

    def cancel_batch(self, batch: BatchId) -> RemoteBatch:
        """Twice is the same as once: an ended batch is told as it stands."""
        import anthropic

        try:
            answer = self._fetch("post", f"{BATCHES}/{batch}/cancel")
            return _read(answer.content, WireBatch).ours()
        except CannotCollect as refusal:
            if not isinstance(refusal.__cause__, anthropic.BadRequestError):
                raise
            found = self.retrieve_batch(batch)
            if found.status != "ended":
                raise
            return found

    def list_batches(self, since: datetime) -> BatchListing:
        """Batches of the key's workspace that were created at or after `since`, newest first."""
        found: list[RemoteBatch] = []
        answer = self._fetch("get", f"{BATCHES}?limit={PAGE}")
        at = parse_date(answer.headers)
        while True:
            page = _read(answer.content, WirePage)
            new = [batch.ours() for batch in page.data if batch.created_at >= since]
            found += new
            if not page.has_more or not new or len(new) < len(page.data):
                return BatchListing(tuple(found), at)
            after = f"{BATCHES}?limit={PAGE}&after_id={page.data[-1].id}"
            answer = self._fetch("get", after)

    def stream_results(self, batch: BatchId) -> Iterator[bytes]:
        """The raw lines, in no order. The stream has no resume: a cut one is fetched anew.

        The path is built here. `results_url` is absolute, and the SDK would follow it, with the
        key, to whatever host it names.
        """
        with self._spool() as spool:
            self._patiently(lambda: self._download(f"{BATCHES}/{batch}/results", spool))
            spool.seek(0)
            with BufferedReader(spool, CHUNK) as lines:
                for line in lines:
                    if line.strip():
                        yield line.rstrip(b"\r\n")

    def retrieve_model(self, name: str) -> RemoteModel | None:
        """None: the API does not know it."""
        try:
            answer = self._fetch("get", f"/v1/models/{name}", patient=False)
            return _read(answer.content, WireModel).ours()
        except CannotFind:
            return None

    def _send(self, path: str, content: bytes | BatchPayload, timeout: float) -> bytes:
        import anthropic
        import httpx2

        headers = {"content-type": "application/json"}
        if isinstance(content, BatchPayload):  # else it would go without a length, in chunks
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
            raise _not_submitted(error) from error
        return response.content

    def _fetch(self, method: str, path: str, *, patient: bool = True) -> "httpx2.Response":
        import httpx2

        def once() -> httpx2.Response:
            call = self._client.get if method == "get" else self._client.post
            options: anthropic.RequestOptions = {"follow_redirects": False}
            return call(path, cast_to=httpx2.Response, options=options)

        return self._patiently(once, patient=patient)

    def _download(self, path: str, spool: RawIOBase) -> None:
        import httpx2

        if spool.tell():  # of a stream that was cut
            spool.seek(0)
            spool.truncate()
        # What the SDK's with_streaming_response sends; this way it goes to a path of our own.
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
            # A proxy that speaks HTTP/1.0 ends a cut stream as it ends a whole one.
            raise httpx2.RemoteProtocolError("the last line of the results is cut")

    def _patiently(self, once: Callable[[], Result], *, patient: bool = True) -> Result:
        """Repeat what only reads. A 404 is not believed at first: new batches spread slowly.

        https://github.com/anthropics/anthropic-sdk-python/issues/1432
        """
        import anthropic
        import httpx2
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        tries = Retrying(
            retry=retry_if_exception(lambda error: _passing(error, missing=patient)),
            stop=stop_after_attempt(TRIES),
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return tries(once)
        except anthropic.APIStatusError as error:
            refusal = _refusal(error)
            kind = CannotFind if error.status_code == 404 else CannotCollect
            raise kind(refusal.problem, refusal.remedy) from error
        except (anthropic.AnthropicError, httpx2.HTTPError) as error:
            raise CannotCollect(*_unreached(error)) from error

    def _wait(self, state: "RetryCallState") -> float:
        import anthropic

        error = state.outcome.exception() if state.outcome else None
        told = _refusal(error).retry_after if isinstance(error, anthropic.APIStatusError) else None
        return patience.backoff(state.attempt_number, told, self._luck())

    @cached_property
    def _client(self) -> "anthropic.Anthropic":
        key, token = _key(self._environ)
        if not (key or token or _federates(self._environ)):
            raise CannotSubmit("there is no key for the Anthropic API", HOW)
        import anthropic
        import httpx2

        base = self._environ.get("ANTHROPIC_BASE_URL", "").strip() or OFFICIAL
        if not base.startswith(("https://", "http://")):
            raise _no_address(base)
        workspace = self._environ.get("ANTHROPIC_WORKSPACE_ID")
        try:
            return anthropic.Anthropic(
                api_key=key,
                auth_token=token,
                credentials=None if key or token else _federation(self._environ),
                base_url=base,
                max_retries=0,
                timeout=anthropic.Timeout(self._timeout, connect=CONNECTING),
                # A federation token is of one workspace by itself and refuses the header.
                default_headers={"anthropic-workspace-id": workspace}
                if workspace and (key or token)
                else None,
            )
        except httpx2.InvalidURL as error:
            raise _no_address(base) from error


def _no_address(base: str) -> CannotSubmit:
    return CannotSubmit(
        f"ANTHROPIC_BASE_URL is no web address: {base}",
        f"unset it, or set it to something like {OFFICIAL}",
    )


def _key(environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """API key or else token. A secret pasted with its newline is the same secret."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        value = environ.get(name, "").strip()
        if not value:
            continue
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise CannotSubmit(f"{name} cannot be a key: it has characters that no key has", HOW)
        return (value, None) if name == "ANTHROPIC_API_KEY" else (None, value)
    return None, None


def _federates(environ: Mapping[str, str]) -> bool:
    identity = environ.get(IDENTITY_FILE) or environ.get(IDENTITY)
    return bool(identity and environ.get(FEDERATION_RULE) and environ.get(ORGANIZATION))


def _federation(environ: Mapping[str, str]) -> "anthropic.WorkloadIdentityCredentials":
    """Keyless: the job's own identity token, exchanged for a short-lived one.

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


def _paid(raw: bytes, shape: type[Shape]) -> Shape:
    try:
        return shape.model_validate_json(raw)
    except ValidationError as error:
        problem = "the answer to what was sent cannot be read, so it may have been accepted"
        raise SubmitUnclear(problem, LOOK_FIRST) from error


def _read(raw: bytes, shape: type[Shape]) -> Shape:
    try:
        return shape.model_validate_json(raw)
    except ValidationError as error:
        raise CannotCollect(
            "the Anthropic API answered with something that is not its own format",
            "check ANTHROPIC_BASE_URL and any proxy on the way; a newer claude-batch may help",
        ) from error


def _refusal(error: "anthropic.APIStatusError") -> ApiError:
    said = error.api_message if isinstance(error.api_message, str) else None
    return ApiError(
        error.status_code,
        error.type,
        error.error_code,
        said,
        error.response.headers,
    )


def _not_submitted(error: "anthropic.AnthropicError") -> CannotSubmit:
    """Did it arrive? Only a failure before the first byte, or a plain no, says that it did not."""
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        refusal = _refusal(error)
        if refusal.outcome_unknown:
            return SubmitUnclear(refusal.problem, LOOK_FIRST)
        return CannotSubmit(refusal.problem, refusal.remedy)
    unsent = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.LocalProtocolError,
        httpx2.PoolTimeout,
        httpx2.ProxyError,
        httpx2.UnsupportedProtocol,
    )
    problem, remedy = _unreached(error)
    if isinstance(error, anthropic.APIConnectionError) and not isinstance(error.__cause__, unsent):
        return SubmitUnclear(problem, LOOK_FIRST)
    return CannotSubmit(problem, remedy)


def _unreached(error: Exception) -> tuple[str, str]:
    import anthropic

    cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else error
    detail = " ".join(str(cause).split())[:200] or type(cause).__name__
    if isinstance(error, anthropic.AnthropicError) and not isinstance(error, anthropic.APIError):
        return f"the Anthropic credentials cannot be used: {detail}", HOW
    return f"the connection to the Anthropic API failed: {detail}", OTHERWISE


def _passing(error: BaseException, *, missing: bool) -> bool:
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        return _refusal(error).is_retryable or (missing and error.status_code == 404)
    return isinstance(error, anthropic.APIConnectionError | httpx2.TransportError)
