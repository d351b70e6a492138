"""A finding: one thing worth saying about some lines, bound to its task, not to line numbers."""

import hashlib
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from claude_batch.diff.model import Side
from claude_batch.tasks.task import TaskId


class Severity(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 is the gravest."""
        return list(Severity).index(self)


class Confidence(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Category(StrEnum):
    """The closed list that fingerprints are made with: adding is fine, renaming is not."""

    BUG = "bug"
    SECURITY = "security"
    PERFORMANCE = "performance"
    CONCURRENCY = "concurrency"
    ERRORS = "errors"
    API = "api"
    TESTS = "tests"
    DOCS = "docs"
    REFACTOR = "refactor"
    OTHER = "other"


class Finding(BaseModel):
    """What the model said and where, as kept in the ledger's answer shards.

    `first` and `last` are positions in the task's hunk (`Hunk.lines`), inclusive. A finding whose
    anchors did not hold has `task` None and says why in `unplaced`; it is shown, never guessed at.
    One that says nothing, or is one of too many, has no title and no body.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str  # 16 hex digits, unique in a ledger
    fingerprint: str  # 16 hex digits; the same when the same thing is said of the same lines
    task: TaskId | None
    kind: str
    path: str  # at first sight
    first: int = 0
    last: int = 0
    side: Side = Side.RIGHT
    category: Category
    severity: Severity
    confidence: Confidence
    title: str
    body: str
    replacement: str | None = None
    unplaced: str | None = None

    @property
    def is_malformed(self) -> bool:
        """Nothing is said that could be read: counted, never shown."""
        return not self.title.strip()

    @property
    def is_negligible(self) -> bool:
        """Neither posted nor looked at a second time."""
        return self.severity is Severity.LOW and self.confidence is Confidence.LOW


def compute_fingerprint(path: str, hashes: str, kind: str, category: Category) -> str:
    """How we know that we have said it already: never prose, model or prompt version.

    `hashes` are those of the anchored lines (`Strip.hashes`).
    """
    text = "\0".join([path, hashes, kind, category])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def compute_finding_id(custom_id: str, index: int) -> str:
    return hashlib.sha256(f"{custom_id}:{index}".encode()).hexdigest()[:16]


def render_label(finding: Finding, *, unverified: bool = False) -> str:
    words = [finding.severity, finding.category, *(["unverified"] if unverified else [])]
    return " · ".join(words)
