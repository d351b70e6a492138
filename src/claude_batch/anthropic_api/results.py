"""What one line of results is: how a request ended, what it cost, and the findings it holds.

Read with suspicion. The line comes from the API, whose shapes grow; the text in it comes from a
model that has read somebody's code.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError
from pydantic_core import from_json

from claude_batch.formatting import first_error
from claude_batch.markdown import strip_hidden


class Usage(BaseModel):
    """Tokens of one answer by class. `output` is the billed total and includes `thinking`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: NonNegativeInt = 0
    output: NonNegativeInt = 0
    cache_read: NonNegativeInt = 0
    cache_write_5m: NonNegativeInt = 0
    cache_write_1h: NonNegativeInt = 0
    thinking: NonNegativeInt = 0

    @property
    def prompt(self) -> int:
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h


MAX_ERROR = 500
ABSURD_TOKENS = 100_000_000  # no model reads or writes that much in one request
COMPLETE = ("end_turn", "stop_sequence")  # not a set: what is compared may be a list

# The API's page on errors: these need another request or another account, not another try.
# https://platform.claude.com/docs/en/api/errors
FINAL_ERRORS = {
    "authentication_error",
    "billing_error",
    "invalid_request_error",
    "not_found_error",
    "permission_error",
    "request_too_large",
}

Shape = TypeVar("Shape", bound=BaseModel)


class InvalidResponse(ValueError):
    """Not a line of results, or not an answer of the schema; the message says why."""


class ValidResponse(NamedTuple):
    """The number of findings in a text that fits its schema, and a remark for people."""

    findings: int = 0
    remark: str | None = None


# Checks a complete text. Raises Unparsable.
Validator = Callable[[str], ValidResponse]


class Outcome(StrEnum):
    """What became of a request: the API's four and the three that we tell apart within success."""

    SUCCEEDED = "succeeded"
    ERRORED = "errored"
    EXPIRED = "expired"
    CANCELED = "canceled"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"


class BatchResult(NamedTuple):
    """`text`: the text blocks joined, None without any. `error`: why it is no clean success.

    `retriable`: the same request, sent again, may well succeed. A refused or truncated one will
    not; it must be split. A success can have an `error` too: a remark on its usage or its length.
    """

    custom_id: str
    outcome: Outcome
    model: str | None = None
    usage: Usage | None = None
    text: str | None = None
    error: str | None = None
    retriable: bool = False
    findings: int = 0  # in a text that was validated as Said


def lowercase(value: object) -> object:
    # The case of enum values is not guaranteed by structured outputs.
    return value.strip().lower() if isinstance(value, str) else value


def parse_result_line(line: bytes, validate: Validator | None) -> BatchResult:
    """Parse one line of a batch's results. Raises Unparsable for a line without a custom_id.

    `validate` checks a complete text; None accepts every text.
    """
    row = _mapping(_json(line))
    custom_id, result = row.get("custom_id"), row.get("result")
    if not isinstance(custom_id, str) or not isinstance(result, dict):
        raise InvalidResponse("the line has no custom_id or no result")
    match result.get("type"):
        case "succeeded":
            return _message(custom_id, result.get("message"), validate)
        case "errored":
            return _errored(custom_id, result.get("error"))
        case "expired":
            error = "the batch expired before this request was processed"
            return BatchResult(custom_id, Outcome.EXPIRED, error=error, retriable=True)
        case "canceled":
            error = "the batch was canceled before this request was processed"
            return BatchResult(custom_id, Outcome.CANCELED, error=error, retriable=True)
        case other:
            error = f"a result of the unknown type {printable_excerpt(str(other), 40)!r}"
            return BatchResult(custom_id, Outcome.UNREADABLE, error=error, retriable=True)


def parse_message(custom_id: str, message: bytes, validate: Validator | None) -> BatchResult:
    """Parse an answer of the Messages API (lane `now`), which has no line around it.

    Raises Unparsable.
    """
    return _message(custom_id, _json(message), validate)


def _message(custom_id: str, raw: object, validate: Validator | None) -> BatchResult:
    if not isinstance(raw, dict):
        why = "a success without a message"
        return BatchResult(custom_id, Outcome.UNREADABLE, error=why, retriable=True)
    model, stop = raw.get("model"), raw.get("stop_reason")
    usage, remark = _usage(raw.get("usage"))
    text = _text(raw.get("content"))
    outcome: Outcome = Outcome.SUCCEEDED
    error: str | None = None
    findings = 0
    if stop == "refusal":
        outcome, error = Outcome.REFUSED, _refusal(raw.get("stop_details"))
    elif stop not in COMPLETE:
        outcome, error = (
            Outcome.TRUNCATED,
            f"the answer stopped early: {printable_excerpt(str(stop or 'no reason given'), 40)}",
        )
    elif validate is not None:
        outcome, error, findings = _validate(text, validate)
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


def _validate(text: str | None, validate: Validator) -> tuple[Outcome, str | None, int]:
    """The outcome, a remark or the reason, and the number of findings."""
    try:
        checked = validate(text or "")
    except InvalidResponse as reason:
        return Outcome.UNREADABLE, str(reason), 0
    return Outcome.SUCCEEDED, checked.remark, checked.findings


def validate_json(text: str, shape: type[Shape]) -> Shape:
    """Raises Unparsable."""
    try:
        return shape.model_validate_json(text.encode("utf-8", "surrogatepass"))
    except ValidationError as error:
        why = f"the answer does not fit its schema: {first_error(error)}"
        raise InvalidResponse(printable_excerpt(why, MAX_ERROR)) from None


def _errored(custom_id: str, envelope: object) -> BatchResult:
    """`error` is an envelope: the kind is at error.error.type."""
    outer = _mapping(envelope)
    error = _mapping(outer.get("error")) or outer
    kind, message = error.get("type"), error.get("message")
    said = f"{kind}: {message}" if message else f"{kind or 'no reason given'}"
    return BatchResult(
        custom_id,
        Outcome.ERRORED,
        error=printable_excerpt(said, MAX_ERROR),
        retriable=not isinstance(kind, str) or kind not in FINAL_ERRORS,
    )


def _text(content: object) -> str | None:
    """Selected by type: thinking blocks may come first, and citations cut a text in pieces."""
    blocks = content if isinstance(content, list) else []
    texts = [
        block["text"]
        for block in blocks
        if isinstance(block, dict)
        and block.get("type") == "text"
        and isinstance(block.get("text"), str)
    ]
    return "".join(texts) if texts else None


def _refusal(details: object) -> str:
    found = _mapping(details)
    parts = [str(found[key]) for key in ("category", "explanation") if found.get(key)]
    return printable_excerpt("refused: " + (", ".join(parts) or "no reason given"), MAX_ERROR)


def _usage(raw: object) -> tuple[Usage | None, str | None]:
    """The tokens by class, or None with a remark: money is never computed from a guess."""
    if raw is None:
        return None, None
    found = _mapping(raw)
    writes = _mapping(found.get("cache_creation"))
    thinking = _mapping(found.get("output_tokens_details")).get("thinking_tokens")
    numbers = {
        "input_tokens": found.get("input_tokens"),
        "output_tokens": found.get("output_tokens"),
        "cache_read_input_tokens": found.get("cache_read_input_tokens") or 0,
        "cache_creation_input_tokens": found.get("cache_creation_input_tokens") or 0,
        "ephemeral_5m_input_tokens": writes.get("ephemeral_5m_input_tokens") or 0,
        "ephemeral_1h_input_tokens": writes.get("ephemeral_1h_input_tokens") or 0,
        "thinking_tokens": thinking or 0,
    }
    counts: list[int] = []
    for name, value in numbers.items():
        if type(value) is not int or not 0 <= value <= ABSURD_TOKENS:
            return None, f"the usage is unusable: {name} is {printable_excerpt(repr(value), 40)}"
        counts.append(value)
    read, written, minutes, hour = counts[2:6]
    # Older answers have the total only, and a total beyond its parts is of the default class.
    minutes += max(0, written - minutes - hour)
    return Usage(
        input=counts[0],
        output=counts[1],
        cache_read=read,
        cache_write_5m=minutes,
        cache_write_1h=hour,
        thinking=counts[6],
    ), None


def _json(raw: bytes) -> object:
    try:
        value: object = from_json(raw)
    except ValueError as error:
        raise InvalidResponse(f"not JSON: {error}") from error
    return value


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def printable_excerpt(text: str, limit: int) -> str:
    """Without what cannot be seen: control characters, marks that turn the reading direction."""
    kept = strip_hidden(text[: 8 * limit]).strip()
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"
