"""A finding: one remark about some lines, bound to its task instead of line numbers."""

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
        """0 is the most severe."""
        return list(Severity).index(self)


class Confidence(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Category(StrEnum):
    # Fingerprints contain these words: add words, but never rename one.
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
    """A finding as it is stored in the ledger's answer shards.

    `first` and `last` are positions in the task's hunk (`Hunk.lines`), inclusive. If the anchors
    are invalid, `task` is None and `unplaced` is the reason. A finding without text, or beyond
    the limit of an answer, has no title and no body.
    """

    # Newer versions may add keys. Shards are never written again, so none is lost.
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str  # 16 hex digits, unique in a ledger
    fingerprint: str  # 16 hex digits; equal for the same category on the same lines
    task: TaskId | None
    kind: str
    path: str  # at the reviewed commit
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
        """True without readable text. Such a finding is counted but never shown."""
        return not self.title.strip()

    @property
    def is_negligible(self) -> bool:
        """True for a finding that is neither posted nor verified."""
        return self.severity is Severity.LOW and self.confidence is Confidence.LOW


def compute_fingerprint(path: str, hashes: str, kind: str, category: Category) -> str:
    """Return the key that recognizes a repeated finding. `hashes` are those of its lines."""
    # Prose, model and prompt version differ between runs, so they are not in it.
    text = "\0".join([path, hashes, kind, category])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def compute_finding_id(custom_id: str, index: int) -> str:
    return hashlib.sha256(f"{custom_id}:{index}".encode()).hexdigest()[:16]


def render_label(finding: Finding, *, unverified: bool = False) -> str:
    words = [finding.severity, finding.category, *(["unverified"] if unverified else [])]
    return " · ".join(words)
