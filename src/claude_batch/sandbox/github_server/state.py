"""The state of the GitHub test server beside the bare repository: pull requests and comments."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from claude_batch.diff.model import Side
from claude_batch.sandbox.github_server.comment_rules import find_hunk, shift_line
from claude_batch.sandbox.github_server.git_repository import NO_COMMIT, BareRepository, ChangedFile
from claude_batch.sandbox.github_server.messages import Account, not_found


@dataclass(frozen=True, slots=True)
class GitHubSettings:
    """The settings of the repository and its accounts.

    `tokens` maps each token to its account; None accepts every token as GITHUB_TOKEN's.
    `collaborators` maps logins to admin, maintain, write, triage or read; the owner is an admin.
    `refused_refs` are patterns of full refs that a ruleset protects from pushes.
    """

    repository: str = "acme/shop"
    default_branch: str = "main"
    tokens: Mapping[str, Account] | None = None
    collaborators: Mapping[str, str] = field(default_factory=dict)
    anonymous_git: bool = False
    refused_refs: tuple[str, ...] = ()


@dataclass
class PullRecord:
    number: int
    title: str
    body: str
    login: str
    head_owner: str
    head_ref: str
    base_ref: str
    base_sha: str
    head_sha: str
    created_at: str
    updated_at: str
    draft: bool = False
    labels: tuple[str, ...] = ()
    closed_at: str | None = None
    merged_at: str | None = None
    merge_commit: str | None = None


@dataclass
class Review:
    id: int
    pull: int
    login: str
    body: str
    state: str
    commit_id: str
    submitted_at: str


@dataclass
class ReviewComment:
    """A review comment. Line numbers are those at `commit_id`, where it was written."""

    id: int
    pull: int
    review: int
    login: str
    body: str
    path: str
    commit_id: str
    diff_hunk: str
    side: Side
    line: int | None  # None: on the whole file
    start_side: Side | None
    start_line: int | None
    created_at: str
    updated_at: str
    in_reply_to: int | None = None
    edited: bool = False


@dataclass(frozen=True, slots=True)
class CommentReaction:
    id: int
    login: str
    content: str  # +1, -1, laugh, …
    created_at: str


@dataclass
class IssueComment:
    id: int
    pull: int
    login: str
    body: str
    created_at: str
    updated_at: str
    edited: bool = False


@dataclass
class CheckRun:
    id: int
    login: str
    name: str
    head_sha: str
    status: str
    conclusion: str | None
    started_at: str
    completed_at: str | None
    details_url: str | None = None
    external_id: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)


class GitHubState:
    """The records that the endpoints share. A caller holds the server's lock."""

    def __init__(
        self, bare: BareRepository, settings: GitHubSettings, url: str, now: Callable[[], datetime]
    ) -> None:
        self.bare = bare
        self.settings = settings
        self.owner, self.name = settings.repository.split("/")
        self.url = url
        self.now = now
        self.pulls: dict[int, PullRecord] = {}
        self.reviews: dict[int, Review] = {}
        self.review_comments: dict[int, ReviewComment] = {}
        self.issue_comments: dict[int, IssueComment] = {}
        self.check_runs: dict[int, CheckRun] = {}
        self.reactions: dict[int, list[CommentReaction]] = {}  # by review comment
        self.resolved: dict[int, str] = {}  # login by the first comment of a thread
        self._ids = itertools.count(1001)

    @property
    def repository(self) -> str:
        return self.settings.repository

    @property
    def api_url(self) -> str:
        """The URL of the repository's API."""
        return f"{self.url}/repos/{self.repository}"

    @property
    def site_url(self) -> str:
        """The URL of the repository's web page."""
        return f"{self.url}/{self.repository}"

    def timestamp(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def next_id(self) -> int:
        return next(self._ids)

    def pull(self, number: str | int) -> PullRecord:
        if int(number) not in self.pulls:
            raise not_found()
        return self.pulls[int(number)]

    def review_comment(self, number: str | int) -> ReviewComment:
        if int(number) not in self.review_comments:
            raise not_found()
        return self.review_comments[int(number)]

    def issue_comment(self, number: str | int) -> IssueComment:
        if int(number) not in self.issue_comments:
            raise not_found()
        return self.issue_comments[int(number)]

    def branch_ref(self, owner: str, ref: str) -> str:
        """Return the ref of a branch. A fork's branches have their own namespace."""
        return f"refs/heads/{ref}" if owner == self.owner else f"refs/forks/{owner}/heads/{ref}"

    def follow_refs(self) -> None:
        """Move open pull requests to their branches' commits; close those without a head."""
        refs = self.bare.refs()
        for pull in self.pulls.values():
            if pull.closed_at is None:
                self._follow(pull, refs)

    def _follow(self, pull: PullRecord, refs: Mapping[str, str]) -> None:
        head = refs.get(self.branch_ref(pull.head_owner, pull.head_ref))
        pull.base_sha = refs.get(f"refs/heads/{pull.base_ref}", pull.base_sha)
        if head is None:
            pull.closed_at = pull.updated_at = self.timestamp()
            return
        if head != pull.head_sha:
            pull.head_sha, pull.updated_at = head, self.timestamp()
        mirror = f"refs/pull/{pull.number}/head"
        if refs.get(mirror) != head:
            self.bare.update_ref(mirror, head, refs.get(mirror, NO_COMMIT))

    def commits(self, pull: PullRecord) -> list[str]:
        return self.bare.commits_between(pull.base_sha, pull.head_sha)

    def changes(self, pull: PullRecord) -> tuple[ChangedFile, ...]:
        return self.bare.changes(pull.base_sha, pull.head_sha)

    def current_lines(self, comment: ReviewComment) -> tuple[int | None, int | None]:
        """Return the first and last line at the current head, None twice for an outdated comment.

        On a whole file, the last is None too.
        """
        pull = self.pulls[comment.pull]
        if comment.line is None or comment.commit_id == pull.head_sha:
            return comment.start_line, comment.line
        file = next((file for file in self.changes(pull) if file.path == comment.path), None)
        if file is None:
            return None, None
        start = self._shift(comment, comment.start_line)
        line = self._shift(comment, comment.line)
        is_outdated = line is None or find_hunk(file.hunks, comment.side, line) is None
        return (None, None) if is_outdated else (start, line)

    def _shift(self, comment: ReviewComment, line: int | None) -> int | None:
        head = self.pulls[comment.pull].head_sha
        if line is None or comment.side is Side.LEFT:
            return line
        return shift_line(line, self.bare.edits(comment.commit_id, head, comment.path))
