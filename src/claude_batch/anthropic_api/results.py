"""Parse the results of a batch and answers of the Messages API. All input is untrusted."""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError
from pydantic_core import from_json

from claude_batch.formatting import first_error
from claude_batch.markdown import strip_hidden


class Usage(BaseModel):
    """The tokens of one answer by class. `output` is the billed total and includes `thinking`."""

    # Newer versions may add classes of tokens. The ledger keeps them.
    model_config = ConfigDict(frozen=True, extra="allow")

    input: NonNegativeInt = 0
    output: NonNegativeInt = 0
    cache_read: NonNegativeInt = 0
    cache_write_5m: NonNegativeInt = 0
    cache_write_1h: NonNegativeInt = 0
    thinking: NonNegativeInt = 0
    service_tier: str | None = None  # "standard" in an answer of a batch: it had no discount
    inference_geo: str | None = None  # "us": a surcharge applies

    @property
    def prompt(self) -> int:
        """All input tokens, cached or not."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h


MAX_ERROR = 500
ABSURD_TOKENS = 100_000_000  # no model reads or writes that much in one request
COMPLETE = ("end_turn", "stop_sequence")  # a tuple: the value from the API may be unhashable

# The same request fails again: these need another request or another account.
# https://platform.claude.com/docs/en/api/errors
FINAL_ERRORS = {
    "authentication_error",
    "billing_error",
    "invalid_request_error",
    "not_found_error",
    "permission_error",
    "request_too_large",
}

ResponseModel = TypeVar("ResponseModel", bound=BaseModel)


class InvalidResponse(ValueError):
    """The line or the answer has another format; the message gives the reason."""


class ValidResponse(NamedTuple):
    """The number of findings in a valid text, and a remark for people."""

    findings: int = 0
    remark: str | None = None


# Checks a complete text. Raises InvalidResponse.
Validator = Callable[[str], ValidResponse]


class Outcome(StrEnum):
    """The end of a request: four types of the API, and three kinds of success without an answer."""

    SUCCEEDED = "succeeded"
    ERRORED = "errored"
    EXPIRED = "expired"
    CANCELED = "canceled"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"


class BatchResult(NamedTuple):
    """The result of one request. A success may have an `error` too: a remark, e.g. on its usage."""

    custom_id: str
    outcome: Outcome
    model: str | None = None
    usage: Usage | None = None
    text: str | None = None  # all text blocks, joined
    error: str | None = None
    # True: the same request may succeed. A refused or truncated one must be split.
    retriable: bool = False
    findings: int = 0  # in a validated text
    may_be_billed: bool = False  # there is no result, so that is unknown


def lowercase(value: object) -> object:
    # Structured outputs do not guarantee the case of enum values.
    return value.strip().lower() if isinstance(value, str) else value


def parse_result_line(line: bytes, validate: Validator | None) -> BatchResult:
    """Parse one line of a batch's results. Raises InvalidResponse without a custom_id.

    `validate` checks a complete text; None accepts every text. Of a line that is not JSON, the
    custom_id, the model and the usage are read all the same, because it may have been billed.
    """
    try:
        fields = _as_mapping(_parse_json(line))
    except InvalidResponse as reason:
        return _parse_broken_line(line, str(reason))
    custom_id, result = fields.get("custom_id"), fields.get("result")
    if not isinstance(custom_id, str) or not isinstance(result, dict):
        raise InvalidResponse("the line has no custom_id or no result")
    match result.get("type"):
        case "succeeded":
            return _parse_message(custom_id, result.get("message"), validate, is_in_batch=True)
        case "errored":
            return _parse_error(custom_id, result.get("error"))
        case "expired":
            error = "the batch expired before this request was processed"
            return BatchResult(custom_id, Outcome.EXPIRED, error=error, retriable=True)
        case "canceled":
            error = "the batch was canceled before this request was processed"
            return BatchResult(custom_id, Outcome.CANCELED, error=error, retriable=True)
        case other:
            error = f"a result of the unknown type {printable_excerpt(str(other), 40)!r}"
            return BatchResult(custom_id, Outcome.UNREADABLE, error=error, retriable=True)


STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
# The quote marks inside of an answer's text are escaped, so the text cannot forge these.
WORD = rb'(?<!\\)"%b"\s*:\s*"([-\w.:/@]{1,200})"'
CUSTOM_ID = re.compile(WORD % b"custom_id", re.ASCII)
MODEL = re.compile(WORD % b"model", re.ASCII)
USAGE = re.compile(rb'(?<!\\)"usage"\s*:\s*(\{(?:[^{}"]|"[^"\\]*"|\{[^{}]*\})*\})')


def _parse_broken_line(line: bytes, reason: str) -> BatchResult:
    """The result of a whole line with a lone surrogate, a stray byte or too deep a nesting."""
    custom_id, model = _find_word(CUSTOM_ID, line), _find_word(MODEL, line)
    if custom_id is None or not _is_whole(line):
        raise InvalidResponse(reason)
    usages = [
        _parse_usage(_parse_usage_text(match[1]), is_in_batch=True)[0]
        for match in USAGE.finditer(line)
    ]
    usage = next((usage for usage in usages if usage), None)
    return BatchResult(
        custom_id,
        Outcome.UNREADABLE,
        model,
        usage,
        error=printable_excerpt(reason, MAX_ERROR),
        retriable=True,
    )


def _find_word(pattern: re.Pattern[bytes], line: bytes) -> str | None:
    match = pattern.search(line)
    return match[1].decode() if match else None


def _is_whole(line: bytes) -> bool:
    """False for a line that was cut: its brackets are not in pairs."""
    outside = STRING.sub(b"", line)
    pairs = ((b"{", b"}"), (b"[", b"]"))
    return b'"' not in outside and all(outside.count(a) == outside.count(b) for a, b in pairs)


def _parse_usage_text(text: bytes) -> object:
    try:
        return _parse_json(text)
    except InvalidResponse:
        return None


def parse_message(custom_id: str, message: bytes, validate: Validator | None) -> BatchResult:
    """Parse an answer of the Messages API (lane `now`). Raises InvalidResponse."""
    return _parse_message(custom_id, _parse_json(message), validate, is_in_batch=False)


def _parse_message(
    custom_id: str, message: object, validate: Validator | None, *, is_in_batch: bool
) -> BatchResult:
    if not isinstance(message, dict):
        reason = "a success without a message"
        return BatchResult(custom_id, Outcome.UNREADABLE, error=reason, retriable=True)
    model, stop = message.get("model"), message.get("stop_reason")
    usage, remark = _parse_usage(message.get("usage"), is_in_batch=is_in_batch)
    text = _join_text(message.get("content"))
    outcome, error, findings = Outcome.SUCCEEDED, None, 0
    if stop == "refusal":
        outcome, error = Outcome.REFUSED, _refusal_reason(message.get("stop_details"))
    elif stop not in COMPLETE:
        shown = printable_excerpt(str(stop or "no reason given"), 40)
        outcome, error = Outcome.TRUNCATED, f"the answer stopped early: {shown}"
    elif validate is not None:
        try:
            findings, error = validate(text or "")
        except InvalidResponse as reason:
            outcome, error = Outcome.UNREADABLE, str(reason)
    return BatchResult(
        custom_id,
        outcome,
        model if isinstance(model, str) else None,
        usage,
        text,
        "; ".join(filter(None, (error, remark))) or None,
        outcome is Outcome.UNREADABLE,
        findings,
    )


def validate_json(text: str, model: type[ResponseModel]) -> ResponseModel:
    """Raises InvalidResponse."""
    try:
        return model.model_validate_json(text.encode("utf-8", "surrogatepass"))
    except ValidationError as error:
        reason = f"the answer does not fit its schema: {first_error(error)}"
        raise InvalidResponse(printable_excerpt(reason, MAX_ERROR)) from None


def _parse_error(custom_id: str, envelope: object) -> BatchResult:
    outer = _as_mapping(envelope)  # the type is at error.error.type
    error = _as_mapping(outer.get("error")) or outer
    kind, message = error.get("type"), error.get("message")
    problem = f"{kind}: {message}" if message else f"{kind or 'no reason given'}"
    return BatchResult(
        custom_id,
        Outcome.ERRORED,
        error=printable_excerpt(problem, MAX_ERROR),
        retriable=not isinstance(kind, str) or kind not in FINAL_ERRORS,
    )


def _join_text(content: object) -> str | None:
    """The text of a message. Thinking blocks may come first, and citations split a text."""
    blocks = content if isinstance(content, list) else []
    texts = [
        block["text"]
        for block in blocks
        if isinstance(block, dict)
        and block.get("type") == "text"
        and isinstance(block.get("text"), str)
    ]
    return "".join(texts) if texts else None


def _refusal_reason(details: object) -> str:
    fields = _as_mapping(details)
    parts = [str(fields[key]) for key in ("category", "explanation") if fields.get(key)]
    return printable_excerpt("refused: " + (", ".join(parts) or "no reason given"), MAX_ERROR)


def _parse_usage(usage: object, *, is_in_batch: bool) -> tuple[Usage | None, str | None]:
    """Return the tokens by class, or None and a remark: costs are not computed from a guess."""
    if usage is None:
        return None, None
    fields = _as_mapping(usage)
    writes = _as_mapping(fields.get("cache_creation"))
    thinking = _as_mapping(fields.get("output_tokens_details")).get("thinking_tokens")
    tier, region = (lowercase(fields.get(name)) for name in ("service_tier", "inference_geo"))
    numbers = {
        "input_tokens": fields.get("input_tokens"),
        "output_tokens": fields.get("output_tokens"),
        "cache_read_input_tokens": fields.get("cache_read_input_tokens") or 0,
        "cache_creation_input_tokens": fields.get("cache_creation_input_tokens") or 0,
        "ephemeral_5m_input_tokens": writes.get("ephemeral_5m_input_tokens") or 0,
        "ephemeral_1h_input_tokens": writes.get("ephemeral_1h_input_tokens") or 0,
        "thinking_tokens": thinking or 0,
    }
    counts: list[int] = []
    for name, value in numbers.items():
        if type(value) is not int or not 0 <= value <= ABSURD_TOKENS:
            return None, f"the usage is unusable: {name} is {printable_excerpt(repr(value), 40)}"
        counts.append(value)
    prompt, output, cache_read, cache_write, write_5m, write_1h, thinking = counts
    # Older answers have the total only. The rest of the total belongs to the default class, 5m.
    write_5m += max(0, cache_write - write_5m - write_1h)
    parsed = Usage(
        input=prompt,
        output=output,
        cache_read=cache_read,
        cache_write_5m=write_5m,
        cache_write_1h=write_1h,
        thinking=thinking,
        # Only what changes the price.
        service_tier="standard" if is_in_batch and tier == "standard" else None,
        inference_geo="us" if region == "us" else None,
    )
    return parsed, None


def _parse_json(content: bytes) -> object:
    try:
        value: object = from_json(content)
    except ValueError as error:
        raise InvalidResponse(f"not JSON: {error}") from error
    return value


def _as_mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def printable_excerpt(text: str, limit: int) -> str:
    """The start of a text, without control characters and direction marks."""
    visible = strip_hidden(text[: 8 * limit]).strip()
    return visible if len(visible) <= limit else visible[: limit - 1] + "…"
