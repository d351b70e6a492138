"""What a publish run did, or would do."""

from dataclasses import dataclass

from claude_batch.errors import ClaudeBatchError
from claude_batch.placement import Dropped, Placed
from claude_batch.publication import Publication
from claude_batch.receipt import Receipt

EMPTY = Receipt()


@dataclass(frozen=True)
class Published:
    """Counts of one pull request. `posted` includes the summary comment, as `updated` does."""

    pull_request: int
    posted: int = 0
    updated: int = 0
    unchanged: int = 0
    dropped: tuple[Dropped, ...] = ()
    placed: tuple[Placed, ...] = ()  # the findings that have their lines, folded ones included
    waiting: int = 0  # findings whose second look is open
    failing: bool = False  # a finding stands at or above `fail_on`
    receipt: Receipt = EMPTY
    note: str = ""
    error: ClaudeBatchError | None = None  # this pull request could not be published on
    preview: Publication | None = None  # with dry_run: what would be done
