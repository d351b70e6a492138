"""What can go wrong, named for what we could not do.

    ClaudeBatchError            exit 3
    ├── BadUsage                exit 2
    ├── BadConfig
    ├── CannotRead              a repository, a commit, a file
    ├── CannotFetch             git transport
    ├── CannotRecord            the ledger
    │   └── LedgerIsNewer
    ├── CannotSubmit            the Message Batches API said no
    │   └── SubmitUnclear       it may have said yes: never repeat blindly
    ├── CannotCollect
    │   └── CannotFind          the API does not know it, or not any more
    ├── CannotPublish           GitHub said no
    │   ├── ReviewRefused       a 422: at least one comment of the review is at fault
    │   └── ThreadsRefused      GraphQL said no: threads can be neither seen nor resolved
    └── BudgetExceeded          exit 4

Each carries two sentences: what could not be done, and what to do now.
"""


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
