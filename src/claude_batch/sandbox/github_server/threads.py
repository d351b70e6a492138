"""Actions of people on a thread of review comments: reply, react, resolve."""

from claude_batch.sandbox.github_server import comment_serializers
from claude_batch.sandbox.github_server.messages import (
    ApiRequest,
    ApiResponse,
    error_response,
    paginate,
)
from claude_batch.sandbox.github_server.state import CommentReaction, GitHubState

CONTENTS = frozenset(comment_serializers.REACTIONS)


def reactions(desk: GitHubState, incoming: ApiRequest, number: str) -> ApiResponse:
    first = desk.review_comment(number)
    wanted = incoming.query.get("content")
    found = [
        comment_serializers.reaction(desk, each)
        for each in desk.reactions.get(first.id, ())
        if wanted in (None, each.content)
    ]
    return paginate(incoming, found, desk.url)


def react(desk: GitHubState, number: int, login: str, content: str) -> None:
    """Once for each person and content, as on GitHub."""
    if content not in CONTENTS:
        raise error_response(422, "Validation Failed")
    given = desk.reactions.setdefault(desk.review_comment(number).id, [])
    if all((each.login, each.content) != (login, content) for each in given):
        given.append(CommentReaction(desk.next_id(), login, content, desk.timestamp()))


def resolve(desk: GitHubState, number: int, login: str) -> None:
    """The thread of this comment; one that is resolved stays as it is."""
    made = desk.review_comment(number)
    desk.resolved.setdefault(made.in_reply_to or made.id, login)
