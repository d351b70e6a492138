"""What a submit looks at, as said by flags or by the event."""

from dataclasses import dataclass

from claude_batch.errors import BadUsage


@dataclass(frozen=True, slots=True)
class RangeSource:
    """From the merge base of the two. `base` None: the remote's default branch."""

    base: str | None = None
    head: str = "HEAD"


@dataclass(frozen=True, slots=True)
class PullRequestSource:
    number: int


@dataclass(frozen=True, slots=True)
class StagedSource:
    pass


@dataclass(frozen=True, slots=True)
class QueuedSource:
    """The trees that the hook noted."""


@dataclass(frozen=True, slots=True)
class PathsSource:
    """Whole files of HEAD, by gitignore-style patterns."""

    patterns: tuple[str, ...]


Source = RangeSource | PullRequestSource | StagedSource | QueuedSource | PathsSource


def parse_range(text: str) -> RangeSource:
    """A..B and A...B mean the same here: both start at the merge base."""
    base, dots, head = text.replace("...", "..").partition("..")
    if not dots or ".." in head:
        raise BadUsage(f"{text!r} is not a range", "write it as A..B, for example main..HEAD")
    return RangeSource(base or "HEAD", head or "HEAD")
