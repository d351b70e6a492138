"""The JSON that GitHub's API gives for what was said on a pull request."""

from claude_batch.sandbox.github_server.messages import ACTIONS_BOT
from claude_batch.sandbox.github_server.serializers import (
    BORN,
    Json,
    node,
    number_of,
    pull_page,
    pull_url,
    user,
)
from claude_batch.sandbox.github_server.state import (
    CheckRun,
    CommentReaction,
    GitHubState,
    IssueComment,
    Review,
    ReviewComment,
)

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket")


def review(desk: GitHubState, made: Review) -> Json:
    page = f"{pull_page(desk, made.pull)}#pullrequestreview-{made.id}"
    url = pull_url(desk, made.pull)
    return {
        "id": made.id,
        "node_id": node("Review", made.id),
        "user": user(desk, made.login),
        "body": made.body,
        "state": made.state,
        "commit_id": made.commit_id,
        "submitted_at": made.submitted_at,
        "html_url": page,
        "pull_request_url": url,
        "_links": {"html": {"href": page}, "pull_request": {"href": url}},
        "author_association": "NONE",
    }


def remark(desk: GitHubState, made: ReviewComment) -> Json:
    """`line` is null on an outdated comment, and `commit_id` follows the head until then."""
    url = f"{desk.url}/repos/{desk.repository}/pulls/comments/{made.id}"
    page = f"{pull_page(desk, made.pull)}#discussion_r{made.id}"
    pull = pull_url(desk, made.pull)
    start, line = desk.current_lines(made)
    links = {"self": url, "html": page, "pull_request": pull}
    outdated = made.line is not None and line is None
    shape: Json = {
        "id": made.id,
        "node_id": node("Remark", made.id),
        "pull_request_review_id": made.review,
        "user": user(desk, made.login),
        "body": made.body,
        "path": made.path,
        "diff_hunk": made.diff_hunk,
        "commit_id": made.commit_id if outdated else desk.pulls[made.pull].head_sha,
        "original_commit_id": made.commit_id,
        "subject_type": "file" if made.line is None else "line",
        "side": str(made.side),
        "line": line,
        "original_line": made.line,
        "start_line": start,
        "original_start_line": made.start_line,
        "start_side": None if made.start_side is None else str(made.start_side),
        "created_at": made.created_at,
        "updated_at": made.updated_at,
        "url": url,
        "html_url": page,
        "pull_request_url": pull,
        "_links": {name: {"href": link} for name, link in links.items()},
        "author_association": "NONE",
        "reactions": _rollup(desk, made.id, f"{url}/reactions"),
    }
    if made.in_reply_to is not None:
        shape["in_reply_to_id"] = made.in_reply_to
    if made.line is None:
        del shape["line"], shape["original_line"]
    return shape


def _rollup(desk: GitHubState, remark_id: int, url: str) -> Json:
    given = [each.content for each in desk.reactions.get(remark_id, ())]
    return {"url": url, "total_count": len(given)} | {word: given.count(word) for word in REACTIONS}


def reaction(desk: GitHubState, made: CommentReaction) -> Json:
    return {
        "id": made.id,
        "node_id": node("Reaction", made.id),
        "user": user(desk, made.login),
        "content": made.content,
        "created_at": made.created_at,
    }


def comment(desk: GitHubState, made: IssueComment) -> Json:
    api = f"{desk.url}/repos/{desk.repository}/issues"
    return {
        "id": made.id,
        "node_id": node("Comment", made.id),
        "user": user(desk, made.login),
        "body": made.body,
        "created_at": made.created_at,
        "updated_at": made.updated_at,
        "url": f"{api}/comments/{made.id}",
        "issue_url": f"{api}/{made.pull}",
        "html_url": f"{pull_page(desk, made.pull)}#issuecomment-{made.id}",
        "author_association": "NONE",
        "performed_via_github_app": None,
    }


def check(desk: GitHubState, made: CheckRun) -> Json:
    url = f"{desk.url}/repos/{desk.repository}/check-runs/{made.id}"
    return {
        "id": made.id,
        "node_id": node("Check", made.id),
        "name": made.name,
        "head_sha": made.head_sha,
        "external_id": made.external_id,
        "url": url,
        "html_url": f"{desk.url}/{desk.repository}/runs/{made.id}",
        "details_url": made.details_url,
        "status": made.status,
        "conclusion": made.conclusion,
        "started_at": made.started_at,
        "completed_at": made.completed_at,
        "output": {
            "title": made.title,
            "summary": made.summary,
            "text": made.text,
            "annotations_count": len(made.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": number_of(made.head_sha)},
        "app": _app(desk, made.login),
        "pull_requests": [],
    }


def _app(desk: GitHubState, login: str) -> Json | None:
    if not login.endswith("[bot]"):
        return None
    slug = login.removesuffix("[bot]")
    return {
        "id": number_of(slug),
        "slug": slug,
        "node_id": node("App", slug),
        "owner": user(desk, "github" if login == ACTIONS_BOT else desk.owner),
        "name": slug,
        "description": None,
        "external_url": desk.url,
        "html_url": f"{desk.url}/apps/{slug}",
        "created_at": BORN,
        "updated_at": BORN,
        "permissions": {"checks": "write"},
        "events": [],
    }
