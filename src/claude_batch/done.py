"""What several verbs in a row did."""

from dataclasses import dataclass, field

from claude_batch.collected import Collection
from claude_batch.errors import ClaudeBatchError
from claude_batch.published import Published
from claude_batch.submission import Submission


@dataclass
class Done:
    event: str
    notes: list[str] = field(default_factory=list)
    warnings: list[ClaudeBatchError] = field(default_factory=list)
    submission: Submission | None = None
    collection: Collection | None = None
    published: list[Published] | None = None


@dataclass(frozen=True)
class Trip:
    """What a demo did: each of its three parts."""

    submission: Submission
    collection: Collection
    published: Published
