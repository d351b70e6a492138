"""A pull request with its comments, reactions and threads, and the JSON that they come from.

Other fields are ignored: GitHub adds some every month.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import AliasPath, AwareDatetime, BaseModel, BeforeValidator, Field

from claude_batch.diff.model import Side


class GitHubAccount(BaseModel, frozen=True):
    login: str
    type: str = "User"

    @property
    def is_bot(self) -> bool:
        return self.type == "Bot" or self.login.endswith("[bot]")


GHOST = GitHubAccount(login="ghost")  # how GitHub shows a deleted account


class PullRequest(BaseModel, frozen=True):
    """The fields that a list of pull requests and a single one both have."""

    number: int
    state: str  # open, closed
    merged_at: str | None
    draft: bool = False
    base_sha: str = Field(validation_alias=AliasPath("base", "sha"))
    base_ref: str = Field(validation_alias=AliasPath("base", "ref"))
    head_sha: str = Field(validation_alias=AliasPath("head", "sha"))
    head_ref: str = Field(validation_alias=AliasPath("head", "ref"))
    title: str
    body: Annotated[str, BeforeValidator(lambda body: body or "")]
    updated_at: AwareDatetime
    author: Annotated[GitHubAccount, BeforeValidator(lambda user: user or GHOST)] = Field(
        validation_alias="user"
    )
    base_repository: str = Field(validation_alias=AliasPath("base", "repo", "full_name"))
    # None: the fork was deleted.
    head_repository: Annotated[
        str | None, BeforeValidator(lambda repo: repo["full_name"] if repo else None)
    ] = Field(validation_alias=AliasPath("head", "repo"))

    @property
    def from_fork(self) -> bool:
        return self.head_repository != self.base_repository

    @property
    def merged(self) -> bool:
        return self.merged_at is not None


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
    conclusion: str | None  # neutral, failure; None until it is completed
    title: str
    summary: str
    status: str = "completed"  # queued, in_progress, completed


class IdResponse(BaseModel):
    id: int


class RepositoryResponse(BaseModel):
    permissions: dict[str, bool] = {}


class PermissionResponse(BaseModel):
    permission: str  # admin, write, read, none


class CompareResponse(BaseModel):
    merge_base: str = Field(validation_alias=AliasPath("merge_base_commit", "sha"))


class ReactionCountsResponse(BaseModel):
    """Part of each comment of a list."""

    up: int = Field(alias="+1")
    down: int = Field(alias="-1")


class CommentResponse(BaseModel):
    id: int
    user: GitHubAccount | None
    body: str | None = None
    path: str | None = None
    line: int | None = None
    side: Side | None = None
    in_reply_to_id: int | None = None
    pull_request_review_id: int | None = None
    reactions: ReactionCountsResponse | None = None

    def to_comment(self) -> RemoteComment:
        return RemoteComment(
            id=self.id,
            login=(self.user or GHOST).login,
            body=self.body or "",
            path=self.path,
            line=self.line,
            side=self.side or Side.RIGHT,
            in_reply_to=self.in_reply_to_id,
            has_thumbs=self.reactions is None or bool(self.reactions.up or self.reactions.down),
        )


class ReactionResponse(BaseModel):
    user: GitHubAccount | None
    content: str

    def to_reaction(self, comment_id: int) -> Reaction:
        return Reaction(comment_id, (self.user or GHOST).login, self.content)


class ThreadResponse(BaseModel):
    id: str
    isResolved: bool
    resolvedBy: GitHubAccount | None
    # None: the comments are hidden from us.
    first_comment_id: int | None = Field(
        None, validation_alias=AliasPath("comments", "nodes", 0, "databaseId")
    )

    def to_thread(self) -> ReviewThread:
        resolver = self.resolvedBy.login if self.resolvedBy else None
        # No comment has the id 0.
        return ReviewThread(self.id, self.first_comment_id or 0, self.isResolved, resolver)


class ThreadPageResponse(BaseModel):
    has_next: bool = Field(validation_alias=AliasPath("pageInfo", "hasNextPage"))
    cursor: str | None = Field(validation_alias=AliasPath("pageInfo", "endCursor"))
    nodes: list[ThreadResponse]
