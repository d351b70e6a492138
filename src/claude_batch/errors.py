"""Exceptions. Each has a problem and a remedy; the CLI prints both."""

from collections.abc import Iterator
from contextlib import contextmanager


class ClaudeBatchError(Exception):
    exit_code = 3

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


class BadUsage(ClaudeBatchError):
    exit_code = 2


class BudgetExceeded(ClaudeBatchError):
    exit_code = 4


class BadConfig(ClaudeBatchError):
    """The configuration is invalid."""


class BadEnvironment(ClaudeBatchError):
    """An environment variable has a value that cannot be used."""


class CannotRead(ClaudeBatchError):
    """A repository, a commit or a file cannot be read."""


class CannotFetch(ClaudeBatchError):
    """git could not fetch from a remote."""


class CannotRecord(ClaudeBatchError):
    """The ledger, or a file, cannot be written."""


class RemoteUnavailable(CannotRecord):
    """git reaches no repository at the URL of the remote."""


class LedgerIsNewer(CannotRecord):
    """A newer version has written the ledger."""


class LedgerDamaged(CannotRecord):
    """Events that cost money may be unreadable, so nothing is sent."""


class CannotSubmit(ClaudeBatchError):
    """The Anthropic API refused a request that costs money."""


class SubmitUnclear(CannotSubmit):
    """The request may have been accepted; sending it again could pay twice."""


class CannotCollect(ClaudeBatchError):
    """The Anthropic API refused a read."""


class CannotFind(CannotCollect):
    """The Anthropic API does not know the object, or has expired it."""


class CannotPublish(ClaudeBatchError):
    """GitHub refused."""


class ReviewRefused(CannotPublish):
    """422: at least one comment of the review is invalid."""


class ThreadsRefused(CannotPublish):
    """GraphQL refused: threads can be neither listed nor resolved."""


@contextmanager
def file_errors(error: type[ClaudeBatchError], problem: str, remedy: str) -> Iterator[None]:
    """Raise `error` in place of an OSError. The system's reason is appended to `problem`."""
    try:
        yield
    except OSError as failure:
        raise error(f"{problem}: {failure.strerror or failure}", remedy) from failure
