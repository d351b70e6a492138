"""What people do to a thread of review comments: answer it, react to it, resolve it."""

from claude_batch.sandbox.github_server import comment_serializers as shapes
from claude_batch.sandbox.github_server.messages import Incoming, Reply, page, refused
from claude_batch.sandbox.github_server.state import GitHubState, Reaction

CONTENTS = frozenset(shapes.REACTIONS)


def reactions(desk: GitHubState, incoming: Incoming, number: str) -> Reply:
    first = desk.remark(number)
    wanted = incoming.query.get("content")
    found = [
        shapes.reaction(desk, each)
        for each in desk.reactions.get(first.id, ())
        if wanted in (None, each.content)
    ]
    return page(incoming, found, desk.url)


def react(desk: GitHubState, number: int, login: str, content: str) -> None:
    """Once for each person and content, as on GitHub."""
    if content not in CONTENTS:
        raise refused(422, "Validation Failed")
    given = desk.reactions.setdefault(desk.remark(number).id, [])
    if all((each.login, each.content) != (login, content) for each in given):
        given.append(Reaction(desk.next_id(), login, content, desk.stamp()))


def resolve(desk: GitHubState, number: int, login: str) -> None:
    """The thread of this comment; one that is resolved stays as it is."""
    made = desk.remark(number)
    desk.resolved.setdefault(made.in_reply_to or made.id, login)
