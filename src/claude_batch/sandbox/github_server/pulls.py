"""Pull requests: their JSON and their endpoints."""

from dataclasses import replace

from claude_batch.sandbox.github_server.git_repository import NO_COMMIT
from claude_batch.sandbox.github_server.messages import (
    ApiRequest,
    ApiResponse,
    GitHubErrorResponse,
    invalid_field,
    paginate,
    require_fields,
)
from claude_batch.sandbox.github_server.repository import (
    Json,
    commit_json,
    file_json,
    node_id,
    pick_fields,
    repository_json,
    stable_id,
    user_json,
)
from claude_batch.sandbox.github_server.state import GitHubState, PullRecord


def pull_api_url(state: GitHubState, number: int) -> str:
    return f"{state.api_url}/pulls/{number}"


def pull_page_url(state: GitHubState, number: int) -> str:
    return f"{state.site_url}/pull/{number}"


def pull_json(state: GitHubState, pull: PullRecord) -> Json:
    """Return the fields that a pull request has in a list."""
    url, page = pull_api_url(state, pull.number), pull_page_url(state, pull.number)
    issue = f"{state.api_url}/issues/{pull.number}"
    links = {
        "comments": f"{issue}/comments",
        "commits": f"{url}/commits",
        "statuses": f"{state.api_url}/statuses/{pull.head_sha}",
        "review_comments": f"{url}/comments",
        "review_comment": f"{state.api_url}/pulls/comments{{/number}}",
    }
    pages = {"html": page, "issue": issue, "self": url}
    times = ("created_at", "updated_at", "closed_at", "merged_at")
    return {
        "id": stable_id(f"pull {pull.number}"),
        "node_id": node_id("PullRequest", pull.number),
        **pick_fields(pull, "number", "title", "body", "draft", *times),
        "state": "closed" if pull.closed_at else "open",
        "locked": False,
        "user": user_json(state, pull.login),
        "labels": [_label_json(state, name) for name in pull.labels],
        "url": url,
        "html_url": page,
        "issue_url": issue,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        **{f"{name}_url": link for name, link in links.items()},
        "_links": {name: {"href": link} for name, link in (links | pages).items()},
        "base": _branch_json(state, state.owner, pull.base_ref, pull.base_sha),
        "head": _branch_json(state, pull.head_owner, pull.head_ref, pull.head_sha),
        "merge_commit_sha": pull.merge_commit,
        "author_association": "CONTRIBUTOR",
        **dict.fromkeys(("assignee", "milestone", "auto_merge")),
    }


def _label_json(state: GitHubState, name: str) -> Json:
    return {
        "id": stable_id(name),
        "node_id": node_id("Label", name),
        "url": f"{state.api_url}/labels/{name}",
        "name": name,
        "description": None,
        "color": "ededed",
        "default": False,
    }


def _branch_json(state: GitHubState, owner: str, ref: str, sha: str) -> Json:
    return {
        "label": f"{owner}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": user_json(state, owner),
        "repo": repository_json(state, owner),
    }


def _full_pull_json(state: GitHubState, pull: PullRecord) -> Json:
    files = [file_json(state, file, pull.head_sha) for file in state.changes(pull)]
    comments, review_comments = state.issue_comments.values(), state.review_comments.values()
    return pull_json(state, pull) | {
        "merged": pull.merged_at is not None,
        "mergeable": None if pull.closed_at else True,
        "mergeable_state": "unknown" if pull.closed_at else "clean",
        "merged_by": user_json(state, pull.login) if pull.merged_at else None,
        "maintainer_can_modify": False,
        "comments": sum(comment.pull == pull.number for comment in comments),
        "review_comments": sum(comment.pull == pull.number for comment in review_comments),
        "commits": len(state.commits(pull)),
        "additions": sum(file["additions"] for file in files),
        "deletions": sum(file["deletions"] for file in files),
        "changed_files": len(files),
    }


def open_pull(state: GitHubState, pull: PullRecord) -> PullRecord:
    """Add a pull request. Raises GitHubErrorResponse."""
    head = state.bare.commit_id(state.branch_ref(pull.head_owner, pull.head_ref))
    base = state.bare.commit_id(f"refs/heads/{pull.base_ref}")
    if head is None or base is None:
        raise invalid_field("PullRequest", "base" if head else "head", "is invalid", "invalid")
    key = (pull.head_owner, pull.head_ref, pull.base_ref)
    for other in state.pulls.values():
        if not other.closed_at and key == (other.head_owner, other.head_ref, other.base_ref):
            message = f"A pull request already exists for {pull.head_owner}:{pull.head_ref}."
            raise invalid_field("PullRequest", "head", message)
    if not state.bare.commits_between(base, head):
        message = f"No commits between {pull.base_ref} and {pull.head_ref}"
        raise invalid_field("PullRequest", "head", message)
    pull = replace(pull, head_sha=head, base_sha=base)
    state.pulls[pull.number] = pull
    state.bare.update_ref(f"refs/pull/{pull.number}/head", head, NO_COMMIT)
    return pull


def new_pull(state: GitHubState, title: str, head: str, base: str, login: str) -> PullRecord:
    """Return a record that is not open yet. `head` is a branch, or owner:branch of a fork."""
    owner, _, ref = head.rpartition(":")
    number, time = max(state.pulls, default=0) + 1, state.timestamp()
    return PullRecord(number, title, "", login, owner or state.owner, ref, base, "", "", time, time)


def create_pull(state: GitHubState, request: ApiRequest) -> ApiResponse:
    body = require_fields(request, {"head": str, "base": str, "title": str}, "PullRequest")
    pull = new_pull(state, body["title"], body["head"], body["base"], request.login)
    pull = replace(pull, body=body.get("body") or "", draft=bool(body.get("draft")))
    return ApiResponse(201, _full_pull_json(state, open_pull(state, pull)))


def list_pulls(state: GitHubState, request: ApiRequest) -> ApiResponse:
    """Newest first. The query's `head` is owner:branch."""
    query = request.query
    wanted_state = query.get("state", "open")
    pulls = [
        pull_json(state, pull)
        for pull in reversed(state.pulls.values())
        if wanted_state in ("all", "closed" if pull.closed_at else "open")
        and query.get("base") in (None, pull.base_ref)
        and query.get("head") in (None, f"{pull.head_owner}:{pull.head_ref}")
    ]
    return paginate(request, pulls, state.url)


def get_pull(state: GitHubState, _: ApiRequest, number: str) -> ApiResponse:
    return ApiResponse(200, _full_pull_json(state, state.pull(number)))


def edit_pull(state: GitHubState, request: ApiRequest, number: str) -> ApiResponse:
    pull = state.pull(number)
    body = require_fields(request, {}, "PullRequest")
    new_state = body.get("state", "closed" if pull.closed_at else "open")
    if new_state not in ("open", "closed"):
        raise invalid_field("PullRequest", "state", "is not included in the list", "invalid")
    if new_state == "open" and pull.merged_at:
        raise invalid_field("PullRequest", "state", "cannot be changed. It is merged.", "invalid")
    pull.title = body.get("title", pull.title)
    pull.body = body.get("body", pull.body) or ""
    pull.updated_at = state.timestamp()
    pull.closed_at = (pull.closed_at or state.timestamp()) if new_state == "closed" else None
    state.follow_refs()
    return ApiResponse(200, _full_pull_json(state, pull))


def list_files(state: GitHubState, request: ApiRequest, number: str) -> ApiResponse:
    pull = state.pull(number)
    files = [file_json(state, file, pull.head_sha) for file in state.changes(pull)]
    return paginate(request, files, state.url)


def list_commits(state: GitHubState, request: ApiRequest, number: str) -> ApiResponse:
    commits = state.commits(state.pull(number))
    return paginate(request, [commit_json(state, sha) for sha in commits], state.url)


def merge_pull(state: GitHubState, number: int) -> str:
    """Return the id of the merge commit.

    Raises GitHubErrorResponse (405) for a conflict and for a closed pull request.
    """
    pull = state.pull(number)
    title = f"Merge pull request #{number} from {pull.head_owner}/{pull.head_ref}"
    commit = None if pull.closed_at else state.bare.merge(pull.base_sha, pull.head_sha, title)
    base = f"refs/heads/{pull.base_ref}"
    if commit is None or not state.bare.update_ref(base, commit, pull.base_sha):
        raise GitHubErrorResponse(ApiResponse(405, {"message": "Pull Request is not mergeable"}))
    pull.merge_commit, pull.merged_at = commit, state.timestamp()
    pull.closed_at = pull.updated_at = pull.merged_at
    return commit
