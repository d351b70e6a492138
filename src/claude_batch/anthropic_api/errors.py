"""What a refusal of the Anthropic API means, and what a person can do about it.

https://platform.claude.com/docs/en/api/errors
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from claude_batch import http_headers as patience

MAX_SAID = 300

# Limits that no waiting lifts: they come as a 429 like any other, without retry-after.
SPENT = ("enforced_spend_limit_reached", "contract_spend_limit_reached")

BY_CODE = dict.fromkeys(
    SPENT, "raise the spend limit in the Anthropic Console, or wait until the next month begins"
)

BY_STATUS = {
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

REDIRECT = "set ANTHROPIC_BASE_URL to the address that answers itself; redirects are not followed"
OTHERWISE = "run the command again in a few minutes; https://status.claude.com tells of outages"

LOOK_FIRST = (
    "do not submit again: `claude-batch collect` looks whether it was accepted, and adopts it"
)


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
        said = " ".join((self.message or "no reason given").split())[:MAX_SAID]
        name = " ".join(filter(None, (str(self.status), self.kind)))
        return f"the Anthropic API refused ({name}): {said}"

    @property
    def remedy(self) -> str:
        if self.code in BY_CODE:
            return BY_CODE[self.code]
        if self.kind == "billing_error":
            return BY_STATUS[402]
        if 300 <= self.status < 400:
            return REDIRECT
        wait = f"{math.ceil(self.retry_after)} seconds" if self.retry_after else "a minute"
        return BY_STATUS.get(self.status, OTHERWISE).format(wait=wait)

    @property
    def retry_after(self) -> float | None:
        """Seconds."""
        return patience.parse_retry_after(self.headers)

    @property
    def is_retryable(self) -> bool:
        """The same request may be accepted in a while that is worth waiting for."""
        if self.code in SPENT:
            return False
        later = self.status in (408, 409, 429) or self.status >= 500
        return patience.should_retry(self.headers, later)

    @property
    def outcome_unknown(self) -> bool:
        """The request may have been accepted all the same. 529 is said before acceptance."""
        return self.status in (408, 499) or (self.status >= 500 and self.status != 529)
