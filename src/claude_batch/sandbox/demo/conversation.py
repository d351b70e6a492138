"""A pull request's comments, reviews and checks as values for the demo's page."""

from dataclasses import dataclass

from claude_batch.sandbox.github_server.state import CheckRun, GitHubState, ReviewComment


@dataclass(frozen=True, slots=True)
class ConversationItem:
    kind: str  # review, review comment, comment, check
    id: int
    login: str
    body: str
    created_at: str
    edited: bool = False
    review: int | None = None  # on a review comment: its review's id
    in_reply_to: int | None = None
    path: str | None = None
    line: int | None = None  # None on a review comment: outdated, or on the whole file
    start_line: int | None = None
    side: str | None = None
    diff_hunk: str = ""
    title: str = ""  # of a check
    conclusion: str | None = None
    resolved_by: str | None = None  # on the first comment of a thread


def build_conversation(state: GitHubState, number: int) -> tuple[ConversationItem, ...]:
    """Return the items of a pull request, oldest first. Reviews without a body are left out."""
    pull = state.pull(number)
    commits = {*state.commits(pull), pull.head_sha}
    reviews = [
        ConversationItem("review", review.id, review.login, review.body, review.submitted_at)
        for review in state.reviews.values()
        if review.pull == number and review.body
    ]
    review_comments = [
        _review_comment_item(state, comment)
        for comment in state.review_comments.values()
        if comment.pull == number
    ]
    comments = [
        ConversationItem(
            "comment", comment.id, comment.login, comment.body, comment.created_at, comment.edited
        )
        for comment in state.issue_comments.values()
        if comment.pull == number
    ]
    checks = [
        _check_item(check) for check in state.check_runs.values() if check.head_sha in commits
    ]
    items = [*reviews, *review_comments, *comments, *checks]
    return tuple(sorted(items, key=lambda item: item.id))


def _review_comment_item(state: GitHubState, comment: ReviewComment) -> ConversationItem:
    start, line = state.current_lines(comment)
    return ConversationItem(
        kind="review comment",
        id=comment.id,
        login=comment.login,
        body=comment.body,
        created_at=comment.created_at,
        edited=comment.edited,
        review=comment.review,
        in_reply_to=comment.in_reply_to,
        path=comment.path,
        line=line,
        start_line=start,
        side=str(comment.side),
        diff_hunk=comment.diff_hunk,
        resolved_by=state.resolved.get(comment.id),
    )


def _check_item(check: CheckRun) -> ConversationItem:
    return ConversationItem(
        kind="check",
        id=check.id,
        login=check.login,
        body=check.summary or "",
        created_at=check.started_at,
        title=check.title or check.name,
        conclusion=check.conclusion,
    )
