"""The parts that we read of GitHub's JSON, and our values from them.

Other fields are ignored: GitHub adds some every month.
"""

from pydantic import BaseModel, Field

from claude_batch.diff.model import Side
from claude_batch.github_api.models import PullRequest, Reaction, RemoteComment, ReviewThread


class UserAnswer(BaseModel):
    login: str


GHOST = UserAnswer(login="ghost")  # how GitHub shows an account that is gone


class RepositoryAnswer(BaseModel):
    full_name: str
    permissions: dict[str, bool] = {}


class EndAnswer(BaseModel):
    sha: str
    ref: str
    repo: RepositoryAnswer | None  # None when the fork was deleted

    def home(self) -> str | None:
        return self.repo.full_name if self.repo else None


class Named(BaseModel):
    name: str


class Identified(BaseModel):
    id: int


class PullAnswer(BaseModel):
    """What a list and a single pull request both have."""

    number: int
    state: str
    merged_at: str | None
    draft: bool = False
    user: UserAnswer | None
    base: EndAnswer
    head: EndAnswer
    title: str
    body: str | None
    labels: list[Named]

    def value(self) -> PullRequest:
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
            from_fork=self.head.home() != self.base.home(),
            title=self.title,
            body=self.body or "",
            labels=tuple(label.name for label in self.labels),
        )


class RollupAnswer(BaseModel):
    """Counts of reactions, which a list of comments brings along."""

    up: int = Field(alias="+1")
    down: int = Field(alias="-1")


class CommentAnswer(BaseModel):
    id: int
    user: UserAnswer | None
    body: str | None = None
    path: str | None = None
    line: int | None = None
    side: Side | None = None
    in_reply_to_id: int | None = None
    pull_request_review_id: int | None = None
    reactions: RollupAnswer | None = None

    def value(self) -> RemoteComment:
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


class ReactionAnswer(BaseModel):
    user: UserAnswer | None
    content: str

    def value(self, comment: int) -> Reaction:
        return Reaction(comment, (self.user or GHOST).login, self.content)


class PermissionAnswer(BaseModel):
    permission: str  # admin, write, read, none


# GitHub's REST API knows nothing of threads. Cursors, because a page has at most 100 of them.
THREADS = """
query Threads($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { id isResolved resolvedBy { login } comments(first: 1) { nodes { databaseId } } }
      }
    }
  }
}
"""

RESOLVE = """
mutation Resolve($thread: ID!) {
  resolveReviewThread(input: {threadId: $thread}) { thread { isResolved } }
}
"""


class ThreadAnswer(BaseModel):
    class First(BaseModel):
        databaseId: int | None

    class Comments(BaseModel):
        nodes: list["ThreadAnswer.First"]

    id: str
    isResolved: bool
    resolvedBy: UserAnswer | None
    comments: Comments

    def value(self) -> ReviewThread:
        """Comment 0 is nobody's: a thread whose comments are hidden from us."""
        first = next((each.databaseId for each in self.comments.nodes), None)
        resolver = self.resolvedBy.login if self.resolvedBy else None
        return ReviewThread(self.id, first or 0, self.isResolved, resolver)


class ThreadsAnswer(BaseModel):
    class PageInfo(BaseModel):
        hasNextPage: bool
        endCursor: str | None

    pageInfo: PageInfo
    nodes: list[ThreadAnswer]


class CompareAnswer(BaseModel):
    class Commit(BaseModel):
        sha: str

    merge_base_commit: Commit
