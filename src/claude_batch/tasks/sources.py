"""What a submit looks at, as said by flags or by the event."""

from dataclasses import dataclass

from claude_batch.errors import BadUsage


@dataclass(frozen=True, slots=True)
class Range:
    """From the merge base of the two. `base` None: the remote's default branch."""

    base: str | None = None
    head: str = "HEAD"


@dataclass(frozen=True, slots=True)
class PullRequestSource:
    number: int


@dataclass(frozen=True, slots=True)
class Staged:
    pass


@dataclass(frozen=True, slots=True)
class Queued:
    """The trees that the hook noted."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Whole files of HEAD, by gitignore-style patterns."""

    patterns: tuple[str, ...]


Source = Range | PullRequestSource | Staged | Queued | Paths


def range_of(text: str) -> Range:
    """A..B and A...B mean the same here: both start at the merge base."""
    base, dots, head = text.replace("...", "..").partition("..")
    if not dots or ".." in head:
        raise BadUsage(f"{text!r} is not a range", "write it as A..B, for example main..HEAD")
    return Range(base or "HEAD", head or "HEAD")
