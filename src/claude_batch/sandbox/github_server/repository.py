"""The repository, its commits and its users: their JSON and their endpoints."""

import base64
import hashlib
from typing import Any
from urllib.parse import quote, unquote

from claude_batch.sandbox.github_server.git_repository import ChangedFile
from claude_batch.sandbox.github_server.messages import (
    ApiRequest,
    ApiResponse,
    error_response,
    forbidden,
    not_found,
    paginate,
)
from claude_batch.sandbox.github_server.state import GitHubState

Json = dict[str, Any]
EPOCH = "2020-01-01T00:00:00Z"  # the creation of users, the repository and apps
RATE_LIMIT = {"limit": 1000, "remaining": 999, "reset": 4_102_444_800, "used": 1}
COMPARISONS = {
    (False, False): "identical",
    (True, False): "ahead",
    (False, True): "behind",
    (True, True): "diverged",
}

USER_LINKS = (
    "followers following gists starred subscriptions organizations repos events received_events"
)
USER_COUNTS = ("followers", "following", "public_gists", "public_repos")
USER_NULLS = ("bio", "blog", "company", "email", "hireable", "location", "name")

REPOSITORY_LINKS = (
    "archive assignees blobs branches collaborators comments commits compare contents "
    "contributors deployments downloads events forks git_commits git_refs git_tags hooks "
    "issue_comment issue_events issues keys labels languages merges milestones notifications "
    "pulls releases stargazers statuses subscribers subscription tags teams trees"
)
REPOSITORY_COUNTS = (
    *("forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count"),
    *("watchers", "watchers_count", "network_count", "subscribers_count"),
)
REPOSITORY_FEATURES = ("has_issues", "has_projects", "has_wiki", "has_downloads")
REPOSITORY_DENIALS = ("private", "has_pages", "has_discussions", "archived", "disabled")
REPOSITORY_NULLS = ("description", "homepage", "language", "mirror_url", "license")


def node_id(*parts: object) -> str:
    return base64.b64encode(":".join(map(str, parts)).encode()).decode()


def stable_id(text: str) -> int:
    """Return a number that is the same in every run."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) or 1


def pick_fields(record: object, *names: str) -> Json:
    """Return the fields of a record whose JSON has the same names."""
    return {name: getattr(record, name) for name in names}


def user_json(state: GitHubState, login: str) -> Json:
    url = f"{state.url}/users/{quote(login)}"
    return {
        "login": login,
        "id": stable_id(login),
        "node_id": node_id("User", login),
        "avatar_url": f"{state.url}/avatars/{stable_id(login)}",
        "gravatar_id": "",
        "url": url,
        "html_url": url,
        **{f"{name}_url": f"{url}/{name}" for name in USER_LINKS.split()},
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
    }


def repository_json(state: GitHubState, owner: str) -> Json:
    """Return the repository of `owner`; those of others are forks."""
    full_name = f"{owner}/{state.name}"
    url, site = f"{state.url}/repos/{full_name}", f"{state.url}/{full_name}"
    return {
        "id": stable_id(full_name),
        "node_id": node_id("Repository", full_name),
        "name": state.name,
        "full_name": full_name,
        "owner": user_json(state, owner),
        "url": url,
        "html_url": site,
        **{f"{name}_url": f"{url}/{name}" for name in REPOSITORY_LINKS.split()},
        **dict.fromkeys(("clone_url", "git_url", "ssh_url"), f"{site}.git"),
        "svn_url": site,
        "fork": owner != state.owner,
        "default_branch": state.settings.default_branch,
        **dict.fromkeys(REPOSITORY_FEATURES, True),
        **dict.fromkeys(REPOSITORY_DENIALS, False),
        **dict.fromkeys(REPOSITORY_NULLS),
        **dict.fromkeys(REPOSITORY_COUNTS, 0),
        **dict.fromkeys(("pushed_at", "created_at", "updated_at"), EPOCH),
    }


def file_json(state: GitHubState, file: ChangedFile, head: str) -> Json:
    signs = [line.sign for hunk in file.hunks for line in hunk.lines]
    path = f"{head}/{file.path}".replace(" ", "%20")
    fields: Json = {
        "sha": file.blob,
        "filename": file.path,
        "status": file.status,
        "additions": signs.count("+"),
        "deletions": signs.count("-"),
        "changes": signs.count("+") + signs.count("-"),
        "blob_url": f"{state.site_url}/blob/{path}",
        "raw_url": f"{state.site_url}/raw/{path}",
        "contents_url": f"{state.api_url}/contents/{path}",
    }
    if file.patch:
        fields["patch"] = file.patch
    if file.old_path != file.path:
        fields["previous_filename"] = file.old_path
    return fields


def commit_json(state: GitHubState, sha: str) -> Json:
    commit = state.bare.commit(sha)
    api, site = state.api_url, state.site_url
    unsigned = dict.fromkeys(("signature", "payload", "verified_at"))
    return {
        "sha": sha,
        "node_id": node_id("Commit", sha),
        "url": f"{api}/commits/{sha}",
        "html_url": f"{site}/commit/{sha}",
        "comments_url": f"{api}/commits/{sha}/comments",
        "commit": {
            "url": f"{api}/git/commits/{sha}",
            "author": pick_fields(commit.author, "name", "email", "date"),
            "committer": pick_fields(commit.committer, "name", "email", "date"),
            "message": commit.message,
            "comment_count": 0,
            "tree": {"sha": commit.tree, "url": f"{api}/git/trees/{commit.tree}"},
            "verification": {"verified": False, "reason": "unsigned", **unsigned},
        },
        # No account has the address.
        "author": {},
        "committer": {},
        "parents": [
            {"sha": parent, "url": f"{api}/commits/{parent}", "html_url": f"{site}/commit/{parent}"}
            for parent in commit.parents
        ],
    }


def get_user(state: GitHubState, request: ApiRequest) -> ApiResponse:
    if request.account is None or request.account.is_bot:
        raise forbidden()
    fields = user_json(state, request.account.login)
    fields |= dict.fromkeys(USER_NULLS) | dict.fromkeys(USER_COUNTS, 0)
    fields |= {"created_at": EPOCH, "updated_at": EPOCH, "user_view_type": "public"}
    return ApiResponse(200, fields)


def get_rate_limit(_: GitHubState, __: ApiRequest) -> ApiResponse:
    limits = {"core": RATE_LIMIT, "search": RATE_LIMIT}
    return ApiResponse(200, {"resources": limits, "rate": RATE_LIMIT})


def get_repository(state: GitHubState, request: ApiRequest) -> ApiResponse:
    push = bool(request.account and "contents" in request.account.can_write)
    rights = {"admin": False, "maintain": False, "push": push, "triage": push, "pull": True}
    return ApiResponse(200, repository_json(state, state.owner) | {"permissions": rights})


def get_permission(state: GitHubState, _: ApiRequest, login: str) -> ApiResponse:
    """The owner is an admin. Accounts that are not collaborators may read."""
    login = unquote(login)
    roles = {state.owner: "admin", **state.settings.collaborators}
    role = roles.get(login, "read")
    permission = {"maintain": "write", "triage": "read"}.get(role, role)
    user = user_json(state, login)
    return ApiResponse(200, {"permission": permission, "role_name": role, "user": user})


def get_commit(state: GitHubState, _: ApiRequest, revision: str) -> ApiResponse:
    sha = state.bare.commit_id(unquote(revision))
    if sha is None:
        raise error_response(422, f"No commit found for SHA: {revision}")
    parents = state.bare.commit(sha).parents
    files = state.bare.changes(parents[0], sha) if parents else ()
    entries = [file_json(state, file, sha) for file in files]
    return ApiResponse(200, commit_json(state, sha) | {"files": entries})


def compare_commits(state: GitHubState, request: ApiRequest, basehead: str) -> ApiResponse:
    """`basehead` is BASE...HEAD."""
    base, dots, head = unquote(basehead).partition("...")
    old, new = (state.bare.commit_id(name) if name else None for name in (base, head))
    if not dots or old is None or new is None:
        raise not_found()
    merge_base = state.bare.merge_base(old, new)
    if merge_base is None:
        raise error_response(404, f"No common ancestor between {base} and {head}.")
    ahead, behind = state.bare.commits_between(old, new), state.bare.commits_between(new, old)
    page = paginate(request, [commit_json(state, sha) for sha in ahead], state.url)
    url = f"{state.site_url}/compare/{old}...{new}"
    body = {
        "url": f"{state.api_url}/compare/{old}...{new}",
        "html_url": url,
        "permalink_url": url,
        "diff_url": f"{url}.diff",
        "patch_url": f"{url}.patch",
        "base_commit": commit_json(state, old),
        "merge_base_commit": commit_json(state, merge_base),
        "status": COMPARISONS[bool(ahead), bool(behind)],
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": page.body,
        "files": [file_json(state, file, new) for file in state.bare.changes(old, new)],
    }
    return ApiResponse(200, body, page.headers)
