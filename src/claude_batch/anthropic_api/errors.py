"""Errors of the Anthropic SDK: problem, remedy, and whether to try again.

https://platform.claude.com/docs/en/api/errors
"""

import math
from typing import TYPE_CHECKING

from claude_batch import http_headers
from claude_batch.errors import CannotCollect, CannotFind, CannotSubmit, SubmitUnclear

if TYPE_CHECKING:
    from anthropic import AnthropicError, APIStatusError

MAX_MESSAGE = 300

# A 429 with one of these codes has no retry-after, and a later try fails too.
SPEND_LIMIT_CODES = ("enforced_spend_limit_reached", "contract_spend_limit_reached")
SPEND_LIMIT_REMEDY = (
    "raise the spend limit in the Anthropic Console, or wait until the next month begins"
)

REMEDY_BY_STATUS = {
    400: "check `model` and `effort` in the config with `claude-batch doctor`",
    401: "check ANTHROPIC_API_KEY: it may be mistyped, disabled or of another deployment",
    402: "add credit in the Anthropic Console, under billing",
    403: "use a key of a workspace that may use this model and the Message Batches API",
    404: "check `model` in the config, and ANTHROPIC_BASE_URL if it is set",
    408: "run the command again",
    413: "submit less at a time, with --paths or more `exclude` in the config",
    429: "wait {wait}, then run the command again",
    529: "the API is overloaded: run the command again in a few minutes",
}

REDIRECT_REMEDY = "set ANTHROPIC_BASE_URL to the final address; redirects are not followed"
DEFAULT_REMEDY = "run the command again in a few minutes; https://status.claude.com lists outages"

CHECK_FIRST = "do not submit again: `claude-batch collect` finds the batch if it was accepted"

KEY_REMEDY = (
    "set ANTHROPIC_API_KEY to a key from the Anthropic Console; in GitHub Actions, as a secret "
    "of the repository"
)


def submit_error(error: "AnthropicError") -> CannotSubmit:
    """SubmitUnclear, unless the error proves that the request was not accepted."""
    problem, remedy = _explain(error)
    if _may_be_accepted(error):
        return SubmitUnclear(problem, CHECK_FIRST)
    return CannotSubmit(problem, remedy)


def collect_error(error: Exception) -> CannotCollect:
    import anthropic

    kind = CannotFind if isinstance(error, anthropic.NotFoundError) else CannotCollect
    return kind(*_explain(error))


def is_transient(error: BaseException) -> bool:
    """True if the same request may succeed after a short wait."""
    import anthropic
    import httpx2

    if not isinstance(error, anthropic.APIStatusError):
        return isinstance(error, anthropic.APIConnectionError | httpx2.TransportError)
    if error.error_code in SPEND_LIMIT_CODES:
        return False
    by_status = error.status_code in (408, 409, 429) or error.status_code >= 500
    return http_headers.should_retry(error.response.headers, by_status)


def retry_after(error: BaseException | None) -> float | None:
    """The delay that the API asks for, in seconds."""
    import anthropic

    if not isinstance(error, anthropic.APIStatusError):
        return None
    return http_headers.parse_retry_after(error.response.headers)


def _may_be_accepted(error: "AnthropicError") -> bool:
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        status = error.status_code
        # The API answers 529 before it accepts anything.
        return status in (408, 499) or (status >= 500 and status != 529)
    before_first_byte = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.LocalProtocolError,
        httpx2.PoolTimeout,
        httpx2.ProxyError,
        httpx2.UnsupportedProtocol,
    )
    is_connection_error = isinstance(error, anthropic.APIConnectionError)
    return is_connection_error and not isinstance(error.__cause__, before_first_byte)


def _explain(error: Exception) -> tuple[str, str]:
    """Problem and remedy."""
    import anthropic

    if isinstance(error, anthropic.APIStatusError):
        message = error.api_message if isinstance(error.api_message, str) else ""
        shown = " ".join((message or "no reason given").split())[:MAX_MESSAGE]
        name = " ".join(filter(None, (str(error.status_code), error.type)))
        return f"the Anthropic API refused ({name}): {shown}", _remedy(error)
    cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else error
    detail = " ".join(str(cause).split())[:200] or type(cause).__name__
    if isinstance(error, anthropic.AnthropicError) and not isinstance(error, anthropic.APIError):
        return f"the Anthropic credentials cannot be used: {detail}", KEY_REMEDY
    return f"the connection to the Anthropic API failed: {detail}", DEFAULT_REMEDY


def _remedy(error: "APIStatusError") -> str:
    if error.error_code in SPEND_LIMIT_CODES:
        return SPEND_LIMIT_REMEDY
    if error.type == "billing_error":
        return REMEDY_BY_STATUS[402]
    if 300 <= error.status_code < 400:
        return REDIRECT_REMEDY
    seconds = retry_after(error)
    wait = f"{math.ceil(seconds)} seconds" if seconds else "a minute"
    return REMEDY_BY_STATUS.get(error.status_code, DEFAULT_REMEDY).format(wait=wait)
