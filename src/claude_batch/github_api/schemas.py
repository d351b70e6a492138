"""The parts of GitHub's JSON that the program reads, and their conversion into models.

Other fields are ignored: GitHub adds some every month.
"""

from pydantic import BaseModel, Field

from claude_batch.diff.model import Side
from claude_batch.github_api.models import PullRequest, Reaction, RemoteComment, ReviewThread


class UserResponse(BaseModel):
    login: str


GHOST = UserResponse(login="ghost")  # how GitHub shows a deleted account


class RepositoryResponse(BaseModel):
    full_name: str
    permissions: dict[str, bool] = {}


class BranchResponse(BaseModel):
    """The base or the head of a pull request."""

    sha: str
    ref: str
    repo: RepositoryResponse | None  # None: the fork was deleted

    @property
    def repository_name(self) -> str | None:
        return self.repo.full_name if self.repo else None


class LabelResponse(BaseModel):
    name: str


class IdResponse(BaseModel):
    id: int


class PullRequestResponse(BaseModel):
    """The fields that a list of pull requests and a single one both have."""

    number: int
    state: str
    merged_at: str | None
    draft: bool = False
    user: UserResponse | None
    base: BranchResponse
    head: BranchResponse
    title: str
    body: str | None
    labels: list[LabelResponse]

    def to_pull_request(self) -> PullRequest:
        return PullRequest(
            number=self.number,
            state=self.state,
            merged=self.merged_at is not None,
            draft=self.draft,
            author=(self.user or GHOST).login,
            base_sha=self.base.sha,
            base_ref=self.base.ref,
            head_sha=self.head.sha,
            head_ref=self.head.ref,
            from_fork=self.head.repository_name != self.base.repository_name,
            title=self.title,
            body=self.body or "",
            labels=tuple(label.name for label in self.labels),
        )


class ReactionCountsResponse(BaseModel):
    """Part of each comment of a list."""

    up: int = Field(alias="+1")
    down: int = Field(alias="-1")


class CommentResponse(BaseModel):
    id: int
    user: UserResponse | None
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
    user: UserResponse | None
    content: str

    def to_reaction(self, comment_id: int) -> Reaction:
        return Reaction(comment_id, (self.user or GHOST).login, self.content)


class PermissionResponse(BaseModel):
    permission: str  # admin, write, read, none


class ThreadResponse(BaseModel):
    class FirstComment(BaseModel):
        databaseId: int | None

    class Comments(BaseModel):
        nodes: list["ThreadResponse.FirstComment"]

    id: str
    isResolved: bool
    resolvedBy: UserResponse | None
    comments: Comments

    def to_thread(self) -> ReviewThread:
        # No comment has the id 0, which stands for a thread whose comments are hidden from us.
        first_id = next((comment.databaseId for comment in self.comments.nodes), None)
        resolver = self.resolvedBy.login if self.resolvedBy else None
        return ReviewThread(self.id, first_id or 0, self.isResolved, resolver)


class ThreadPageResponse(BaseModel):
    class PageInfo(BaseModel):
        hasNextPage: bool
        endCursor: str | None

    pageInfo: PageInfo
    nodes: list[ThreadResponse]


class CompareResponse(BaseModel):
    class Commit(BaseModel):
        sha: str

    merge_base_commit: Commit
