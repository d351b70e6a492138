"""Sources of a submission, named by flags or by a CI event."""

from dataclasses import dataclass

from claude_batch.errors import BadUsage


@dataclass(frozen=True, slots=True)
class RangeSource:
    """The changes since the merge base. `base` None: the remote's default branch."""

    base: str | None = None
    head: str = "HEAD"


@dataclass(frozen=True, slots=True)
class PullRequestSource:
    number: int


@dataclass(frozen=True, slots=True)
class StagedSource:
    """The staged changes."""


@dataclass(frozen=True, slots=True)
class QueuedSource:
    """The trees that the pre-commit hook recorded."""


@dataclass(frozen=True, slots=True)
class PathsSource:
    """Whole files of HEAD by gitignore-style patterns."""

    patterns: tuple[str, ...]


Source = RangeSource | PullRequestSource | StagedSource | QueuedSource | PathsSource


def parse_range(text: str) -> RangeSource:
    """Parse A..B or A...B. Both start at the merge base."""
    base, dots, head = text.replace("...", "..").partition("..")
    if not dots or ".." in head:
        raise BadUsage(f"{text!r} is not a range", "write it as A..B, for example main..HEAD")
    return RangeSource(base or "HEAD", head or "HEAD")
