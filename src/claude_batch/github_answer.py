"""The parts that we read of GitHub's JSON, and our values from them.

Other fields are ignored: GitHub adds some every month.
"""

from pydantic import BaseModel

from claude_batch.diff import Side
from claude_batch.pull import Pull, RemoteComment


class UserAnswer(BaseModel):
    login: str
    type: str = "User"


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

    def value(self) -> Pull:
        author = self.user or GHOST
        return Pull(
            number=self.number,
            state=self.state,
            merged=self.merged_at is not None,
            draft=self.draft,
            author=author.login,
            author_is_bot=author.type == "Bot",
            base_sha=self.base.sha,
            base_ref=self.base.ref,
            head_sha=self.head.sha,
            head_ref=self.head.ref,
            from_fork=self.head.home() != self.base.home(),
            title=self.title,
            body=self.body or "",
            labels=tuple(label.name for label in self.labels),
        )


class CommentAnswer(BaseModel):
    id: int
    user: UserAnswer | None
    body: str | None = None
    path: str | None = None
    line: int | None = None
    side: Side | None = None
    in_reply_to_id: int | None = None
    pull_request_review_id: int | None = None

    def value(self) -> RemoteComment:
        return RemoteComment(
            id=self.id,
            login=(self.user or GHOST).login,
            body=self.body or "",
            path=self.path,
            line=self.line,
            side=self.side or Side.RIGHT,
            in_reply_to=self.in_reply_to_id,
        )


class CompareAnswer(BaseModel):
    class Commit(BaseModel):
        sha: str

    merge_base_commit: Commit
