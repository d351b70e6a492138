"""The retry policy for reads of the Anthropic API. Requests that cost money are sent once."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from claude_batch import http_headers
from claude_batch.anthropic_api import errors

if TYPE_CHECKING:
    from tenacity import RetryCallState

ATTEMPTS = 5
Result = TypeVar("Result")


def retry_read(
    operation: Callable[[], Result],
    *,
    retry_missing: bool,
    sleep: Callable[[float], None],
    jitter: Callable[[], float],
) -> Result:
    """Run an idempotent operation, again after each transient error. Raises CannotCollect.

    `retry_missing`: a 404 is transient too.
    """
    import anthropic
    import httpx2
    from tenacity import Retrying, retry_if_exception, retry_if_exception_type, stop_after_attempt

    def delay(state: "RetryCallState") -> float:
        error = state.outcome.exception() if state.outcome else None
        return http_headers.backoff(state.attempt_number, errors.retry_after(error), jitter())

    missing = (anthropic.NotFoundError,) if retry_missing else ()
    retrying = Retrying(
        retry=retry_if_exception(errors.is_transient) | retry_if_exception_type(missing),
        stop=stop_after_attempt(ATTEMPTS),
        wait=delay,
        sleep=sleep,
        reraise=True,
    )
    try:
        return retrying(operation)
    except (anthropic.AnthropicError, httpx2.HTTPError) as error:
        raise errors.collect_error(error) from error
