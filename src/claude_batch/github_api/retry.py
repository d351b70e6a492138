"""The retry policy for calls to GitHub: reads are repeated, writes never are."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from claude_batch.github_api.traffic import Traffic

if TYPE_CHECKING:
    from github import GithubRetry

LONGEST_WAIT = 120.0  # seconds; a longer rate limit is left to the next run
TRIES_AFTER_THE_FIRST = 3
BACKOFF_FACTOR = 0.5  # seconds
READ_METHODS = frozenset({"GET", "HEAD"})


def build_retry(sleep: Callable[[float], None], traffic: Traffic) -> "GithubRetry":
    """A policy that waits through `sleep`, and raises where GitHub asks for a longer wait.

    It counts the requests that it repeats.
    """
    from github import GithubRetry
    from github.GithubException import RateLimitExceededExceedsMaxWait

    counted = traffic

    class SleepingRetry(GithubRetry):
        traffic = counted

        def sleep(self, response: Any = None) -> None:
            retry_after = None if response is None else self.get_retry_after(response)
            wait = self.get_backoff_time() if retry_after is None else retry_after
            if wait > LONGEST_WAIT:
                raise RateLimitExceededExceedsMaxWait(
                    response.status, {}, dict(response.headers), wait=wait
                )
            sleep(wait)
            counted.made += 1

    return SleepingRetry(
        total=TRIES_AFTER_THE_FIRST,
        backoff_factor=BACKOFF_FACTOR,
        # PyGithub's default repeats a POST after a 5xx: 502, 502, 200 made three reviews.
        allowed_methods=READ_METHODS,
        max_rate_limit_wait=LONGEST_WAIT,
    )
