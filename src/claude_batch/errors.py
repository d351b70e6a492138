"""Exceptions. Each has a problem and a remedy; the CLI prints both.

ClaudeBatchError            exit 3
├── BadUsage                exit 2
├── BadConfig
├── CannotRead              a repository, a commit or a file
├── CannotFetch             git transport
├── CannotRecord            the ledger, or a file
│   └── LedgerIsNewer
├── CannotSubmit            the Message Batches API refused the batch
│   └── SubmitUnclear       the outcome is unknown; a blind retry could pay twice
├── CannotCollect
│   └── CannotFind          the API does not know the object, or has expired it
├── CannotPublish           GitHub refused
│   ├── ReviewRefused       422: at least one comment of the review is invalid
│   └── ThreadsRefused      GraphQL refused: threads can be neither listed nor resolved
└── BudgetExceeded          exit 4
"""

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


class BadConfig(ClaudeBatchError):
    pass


class CannotRead(ClaudeBatchError):
    pass


class CannotFetch(ClaudeBatchError):
    pass


class CannotRecord(ClaudeBatchError):
    pass


class LedgerIsNewer(CannotRecord):
    pass


class CannotSubmit(ClaudeBatchError):
    pass


class SubmitUnclear(CannotSubmit):
    pass


class CannotCollect(ClaudeBatchError):
    pass


class CannotFind(CannotCollect):
    pass


class CannotPublish(ClaudeBatchError):
    pass


class ReviewRefused(CannotPublish):
    pass


class ThreadsRefused(CannotPublish):
    pass


class BudgetExceeded(ClaudeBatchError):
    exit_code = 4


@contextmanager
def file_errors(error: type[ClaudeBatchError], problem: str, remedy: str) -> Iterator[None]:
    """Raise `error` in place of an OSError. The system's reason is appended to `problem`."""
    try:
        yield
    except OSError as failure:
        raise error(f"{problem}: {failure.strerror or failure}", remedy) from failure
