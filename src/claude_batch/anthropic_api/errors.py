"""Error answers of the Anthropic API: problem, remedy, and whether to try again.

https://platform.claude.com/docs/en/api/errors
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from claude_batch import http_headers

MAX_MESSAGE = 300

# A 429 with one of these codes has no retry-after, and a later try fails too.
SPEND_LIMIT_CODES = ("enforced_spend_limit_reached", "contract_spend_limit_reached")

REMEDY_BY_CODE = dict.fromkeys(
    SPEND_LIMIT_CODES,
    "raise the spend limit in the Anthropic Console, or wait until the next month begins",
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


@dataclass(frozen=True, slots=True)
class ApiError:
    """An answer with a status of 300 or more."""

    status: int
    kind: str | None  # error.type
    code: str | None  # error.details.error_code
    message: str | None  # error.message
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case

    @property
    def problem(self) -> str:
        message = " ".join((self.message or "no reason given").split())[:MAX_MESSAGE]
        name = " ".join(filter(None, (str(self.status), self.kind)))
        return f"the Anthropic API refused ({name}): {message}"

    @property
    def remedy(self) -> str:
        if self.code in REMEDY_BY_CODE:
            return REMEDY_BY_CODE[self.code]
        if self.kind == "billing_error":
            return REMEDY_BY_STATUS[402]
        if 300 <= self.status < 400:
            return REDIRECT_REMEDY
        wait = f"{math.ceil(self.retry_after)} seconds" if self.retry_after else "a minute"
        return REMEDY_BY_STATUS.get(self.status, DEFAULT_REMEDY).format(wait=wait)

    @property
    def retry_after(self) -> float | None:
        """Seconds."""
        return http_headers.parse_retry_after(self.headers)

    @property
    def is_retryable(self) -> bool:
        """True if the same request may succeed after a short wait."""
        if self.code in SPEND_LIMIT_CODES:
            return False
        by_status = self.status in (408, 409, 429) or self.status >= 500
        return http_headers.should_retry(self.headers, by_status)

    @property
    def outcome_unknown(self) -> bool:
        """True if the request may have been accepted in spite of the error."""
        # The API answers 529 before it accepts anything.
        return self.status in (408, 499) or (self.status >= 500 and self.status != 529)
