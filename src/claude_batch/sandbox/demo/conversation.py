"""A pull request's conversation as values, for a page that shows it to people."""

from dataclasses import dataclass

from claude_batch.sandbox.github_server.state import (
    CheckRun,
    GitHubState,
    IssueComment,
    ReviewComment,
)


@dataclass(frozen=True, slots=True)
class ConversationItem:
    """One thing on a pull request."""

    kind: str  # review, review comment, comment, check
    id: int
    login: str
    body: str
    created_at: str
    edited: bool = False
    review: int | None = None  # on a review comment: the review that holds it
    in_reply_to: int | None = None
    path: str | None = None
    line: int | None = None  # None on a review comment: outdated, or on the whole file
    start_line: int | None = None
    side: str | None = None
    diff_hunk: str = ""
    title: str = ""  # of a check
    conclusion: str | None = None
    resolved_by: str | None = None  # on the first comment of a thread


def build_conversation(desk: GitHubState, number: int) -> tuple[ConversationItem, ...]:
    """In the order in which it was said. Reviews without words are left to their comments."""
    pull = desk.pull(number)
    heads = {*desk.commits(pull), pull.head_sha}
    said = [
        ConversationItem("review", each.id, each.login, each.body, each.submitted_at)
        for each in desk.reviews.values()
        if each.pull == number and each.body
    ]
    said += [_remark(desk, each) for each in desk.review_comments.values() if each.pull == number]
    said += [_comment(each) for each in desk.issue_comments.values() if each.pull == number]
    said += [_check(each) for each in desk.check_runs.values() if each.head_sha in heads]
    return tuple(sorted(said, key=lambda each: each.id))


def _remark(desk: GitHubState, made: ReviewComment) -> ConversationItem:
    start, line = desk.current_lines(made)
    return ConversationItem(
        "review comment",
        made.id,
        made.login,
        made.body,
        made.created_at,
        made.edited,
        made.review,
        made.in_reply_to,
        made.path,
        line,
        start,
        str(made.side),
        made.diff_hunk,
        resolved_by=desk.resolved.get(made.id),
    )


def _comment(made: IssueComment) -> ConversationItem:
    return ConversationItem("comment", made.id, made.login, made.body, made.created_at, made.edited)


def _check(made: CheckRun) -> ConversationItem:
    return ConversationItem(
        "check",
        made.id,
        made.login,
        made.summary or "",
        made.started_at,
        title=made.title or made.name,
        conclusion=made.conclusion,
    )
