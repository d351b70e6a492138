"""Delays for retrying idempotent requests, from the headers of a response."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_DELAY = 60.0  # seconds; a server that asks for a longer delay is not retried


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the delay in seconds that a response asks for. Header names are in lower case."""
    millis = _parse_number(headers.get("retry-after-ms"))
    if millis is not None:
        return millis / 1000
    text = headers.get("retry-after")
    seconds = _parse_number(text)
    return seconds if seconds is not None else _seconds_until(text, headers.get("date"))


def should_retry(headers: Mapping[str, str], is_retryable: bool) -> bool:
    """Decide on a retry. The server's header overrides `is_retryable`, which the status implies."""
    decision = {"true": True, "false": False}.get(headers.get("x-should-retry", ""), is_retryable)
    return decision and (parse_retry_after(headers) or 0) <= MAX_DELAY


def backoff(attempt: int, retry_after: float | None, jitter: float) -> float:
    """Return the delay in seconds after the 1st, 2nd … attempt, never below `retry_after`.

    `jitter`, from 0 to 1, spreads clients that failed at the same time.
    """
    if retry_after is not None:
        return retry_after * (1 + jitter / 10)
    return min(2.0 ** (attempt - 1), MAX_DELAY) * (1 - jitter / 2)


def _parse_number(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def _seconds_until(text: str | None, date: str | None) -> float | None:
    """Return the seconds between two dates of the server, whose clock may differ from ours."""
    if not (text and date):
        return None
    try:
        span = parsedate_to_datetime(text) - parsedate_to_datetime(date)
    except (TypeError, ValueError):  # the former: only one of the two has a zone
        return None
    return max(0.0, span.total_seconds())


def parse_date(headers: Mapping[str, str]) -> datetime | None:
    """Return the time of a response by the server's clock, in UTC."""
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    return date.astimezone(UTC) if date.tzinfo else None
