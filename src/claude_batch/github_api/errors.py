"""Turn an error of GitHub into a problem and a remedy."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from claude_batch.errors import CannotPublish, ReviewRefused

if TYPE_CHECKING:
    from github.GithubException import GithubException

TOO_QUICK = "submitted too quickly"
NOT_THE_HEAD = "commit_id is not part"
RUN_AGAIN = "run the command again"
POST_AGAIN = f"{RUN_AGAIN}; what is posted already is recognised and not repeated"

REMEDIES = {
    401: "the token is wrong or has expired: set GITHUB_TOKEN to a valid one",
    403: "add `{permission}` under `permissions:` in the workflow, or to the token",
    404: "check the repository's name and that the token may see it",
}

DEFAULT_REMEDY = "run `claude-batch doctor`, which checks the set-up and the rights"


@dataclass(frozen=True, slots=True)
class Operation:
    """The purpose of a call, for the error message if it fails."""

    problem: str
    permission: str  # as a workflow spells it
    writes: bool = False
    is_review: bool = False

    @property
    def outcome_unknown(self) -> str:
        return ", so it may or may not have been done" if self.writes else ""

    @property
    def run_again(self) -> str:
        return POST_AGAIN if self.writes else RUN_AGAIN


@dataclass(frozen=True, slots=True)
class GitHubError:
    """An error answer. `wait` is the Retry-After header in seconds, if there is one."""

    status: int
    message: str
    is_rate_limit: bool
    wait: str | None


def parse_exception(error: "GithubException") -> GitHubError:
    from github import RateLimitExceededException

    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    wait = headers.get("retry-after")
    is_limited = isinstance(error, RateLimitExceededException) or error.status == 429
    return GitHubError(
        status=error.status,
        message=error_text(error.data, error.status),
        is_rate_limit=is_limited or (error.status == 403 and wait is not None),
        wait=wait,
    )


def explain(error: GitHubError, operation: Operation) -> CannotPublish:
    if error.is_rate_limit or TOO_QUICK in error.message:
        when = f"wait {error.wait} seconds" if error.wait else "wait some minutes"
        problem = f"{operation.problem}: GitHub's rate limit is used up"
        return CannotPublish(problem, f"{when}, then {operation.run_again}")
    if error.status >= 500:
        problem = f"{operation.problem}: GitHub answered {error.status}{operation.outcome_unknown}"
        return CannotPublish(problem, operation.run_again)
    problem = f"{operation.problem}: {error.message}"
    if error.status == 422 and NOT_THE_HEAD in error.message:
        return CannotPublish(problem, f"the pull request has moved on: {operation.run_again}")
    if error.status == 422 and operation.is_review:
        remedy = "leave out comments that are outside of the diff or too long"
        return ReviewRefused(problem, remedy)
    remedy = REMEDIES.get(error.status, DEFAULT_REMEDY)
    return CannotPublish(problem, remedy.format(permission=operation.permission))


def error_text(body: object, status: int) -> str:
    """The message of an error answer, with the entries of its list of errors."""
    fields: Mapping[str, object] = body if isinstance(body, dict) else {}
    errors = fields.get("errors")
    entries = [
        str(entry.get("message") or entry.get("code")) if isinstance(entry, dict) else str(entry)
        for entry in (errors if isinstance(errors, list) else [])
    ]
    details, message = "; ".join(entries), fields.get("message")
    if message and details:
        return f"{message} ({details})"
    return str(message or details or f"GitHub answered {status}")


@contextmanager
def translate_errors(operation: Operation, url: str) -> Iterator[None]:
    """Raise CannotPublish for every error of PyGithub, requests and our schemas."""
    from github import GithubException

    try:
        yield
    except GithubException as error:
        raise explain(parse_exception(error), operation) from error
    except OSError as error:  # every error of requests is one; see requests.exceptions
        problem = f"{operation.problem}: {url} could not be reached or broke off"
        remedy = f"check GITHUB_API_URL and the network, then {operation.run_again}"
        raise CannotPublish(problem + operation.outcome_unknown, remedy) from error
    except (ValidationError, RuntimeError) as error:  # RuntimeError: a redirect to another host
        problem = f"{operation.problem}: {url} does not answer as GitHub does"
        remedy = "check that GITHUB_API_URL is the root of a GitHub API"
        raise CannotPublish(problem + operation.outcome_unknown, remedy) from error


@contextmanager
def suppress_statuses(*statuses: int) -> Iterator[None]:
    """Suppress refusals with these statuses, unless they are due to a rate limit."""
    from github import GithubException

    try:
        yield
    except GithubException as error:
        if error.status not in statuses or parse_exception(error).is_rate_limit:
            raise
