"""A pull request with its comments, reactions and threads."""

from dataclasses import dataclass

from claude_batch.diff.model import Side


@dataclass(frozen=True, slots=True)
class PullRequest:
    number: int
    state: str  # open, closed
    merged: bool
    draft: bool
    author: str
    base_sha: str
    base_ref: str
    head_sha: str
    head_ref: str
    from_fork: bool
    title: str
    body: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoteComment:
    """A review comment (path set) or a comment in the conversation (path None)."""

    id: int
    login: str
    body: str
    path: str | None = None
    line: int | None = None
    side: Side = Side.RIGHT
    in_reply_to: int | None = None
    has_thumbs: bool = True  # False: its list says so, and its reactions need not be fetched


@dataclass(frozen=True, slots=True)
class Reaction:
    """An emoji reaction to a comment."""

    comment_id: int
    login: str
    content: str  # +1, -1, laugh, …


@dataclass(frozen=True, slots=True)
class ReviewThread:
    """A thread of review comments, identified by the first one."""

    id: str
    first_comment_id: int
    resolved: bool
    resolver: str | None  # an app's login may stand here without its [bot]


@dataclass(frozen=True, slots=True)
class DraftComment:
    """A review comment to be posted. Lines are 1-based, of the file on that side."""

    path: str
    side: Side
    first_line: int
    line: int  # the last line, where GitHub shows it
    body: str


@dataclass(frozen=True, slots=True)
class DraftCheck:
    name: str
    head_sha: str
    conclusion: str  # neutral, failure
    title: str
    summary: str
