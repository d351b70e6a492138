"""Endpoints on the repository itself: refs, commits, files, comparisons, who may do what."""

import base64
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from claude_batch.sandbox.github_server import serializers
from claude_batch.sandbox.github_server.git_repository import NO_COMMIT
from claude_batch.sandbox.github_server.messages import (
    ApiRequest,
    ApiResponse,
    GitHubErrorResponse,
    error_response,
    forbidden,
    not_found,
    paginate,
    require_fields,
)
from claude_batch.sandbox.github_server.state import GitHubState

WINDOW = {"limit": 1000, "remaining": 999, "reset": 4_102_444_800, "used": 1}


def user(desk: GitHubState, incoming: ApiRequest) -> ApiResponse:
    if incoming.account is None or incoming.account.is_bot:
        raise forbidden()
    return ApiResponse(200, serializers.whole_user(desk, incoming.account.login))


def rate_limit(_: GitHubState, __: ApiRequest) -> ApiResponse:
    return ApiResponse(200, {"resources": {"core": WINDOW, "search": WINDOW}, "rate": WINDOW})


def get(desk: GitHubState, incoming: ApiRequest) -> ApiResponse:
    push = bool(incoming.account and "contents" in incoming.account.can_write)
    rights = {"admin": False, "maintain": False, "push": push, "triage": push, "pull": True}
    return ApiResponse(200, serializers.repository(desk) | {"permissions": rights})


def permission(desk: GitHubState, _: ApiRequest, login: str) -> ApiResponse:
    """The owner is an admin; nobody who is not named as a collaborator may write."""
    known = {desk.owner: "admin", **desk.settings.collaborators}
    role = known.get(unquote(login), "read")
    word = {"maintain": "write", "triage": "read"}.get(role, role)
    shape = {"permission": word, "role_name": role, "user": serializers.user(desk, unquote(login))}
    return ApiResponse(200, shape)


def commit(desk: GitHubState, _: ApiRequest, revision: str) -> ApiResponse:
    sha = desk.bare.commit_id(unquote(revision))
    if sha is None:
        raise error_response(422, f"No commit found for SHA: {revision}")
    parents = desk.bare.commit(sha).parents
    files = desk.bare.changes(parents[0], sha) if parents else ()
    entries = [serializers.changed_file(desk, each, sha) for each in files]
    return ApiResponse(200, serializers.commit(desk, sha) | {"files": entries})


def contents(desk: GitHubState, incoming: ApiRequest, path: str) -> ApiResponse:
    """Files only."""
    path, revision = unquote(path), incoming.query.get("ref", desk.settings.default_branch)
    sha = desk.bare.commit_id(revision)
    found = desk.bare.file(sha, path) if sha else None
    if found is None:
        raise not_found()
    blob, text = found
    api, site = f"{desk.url}/repos/{desk.repository}", f"{desk.url}/{desk.repository}"
    url = f"{api}/contents/{path.replace(' ', '%20')}?ref={revision}"
    links = {"self": url, "git": f"{api}/git/blobs/{blob}", "html": f"{site}/blob/{sha}"}
    body = {
        "type": "file",
        "encoding": "base64",
        "size": len(text),
        "name": path.rpartition("/")[2],
        "path": path,
        "content": base64.encodebytes(text).decode(),
        "sha": blob,
        "url": url,
        "git_url": links["git"],
        "html_url": links["html"],
        "download_url": f"{site}/raw/{sha}",
        "_links": links,
    }
    return ApiResponse(200, body)


def compare(desk: GitHubState, incoming: ApiRequest, basehead: str) -> ApiResponse:
    base, dots, head = unquote(basehead).partition("...")
    old, new = (desk.bare.commit_id(each) if each else None for each in (base, head))
    if not dots or old is None or new is None:
        raise not_found()
    middle = desk.bare.merge_base(old, new)
    if middle is None:
        raise error_response(404, f"No common ancestor between {base} and {head}.")
    ahead, behind = desk.bare.commits_between(old, new), desk.bare.commits_between(new, old)
    words = {(0, 0): "identical", (1, 0): "ahead", (0, 1): "behind", (1, 1): "diverged"}
    shown = paginate(incoming, [serializers.commit(desk, sha) for sha in ahead], desk.url)
    url = f"{desk.url}/{desk.repository}/compare/{old}...{new}"
    body = {
        "url": f"{desk.url}/repos/{desk.repository}/compare/{old}...{new}",
        "html_url": url,
        "permalink_url": url,
        "diff_url": f"{url}.diff",
        "patch_url": f"{url}.patch",
        "base_commit": serializers.commit(desk, old),
        "merge_base_commit": serializers.commit(desk, middle),
        "status": words[bool(ahead), bool(behind)],
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": shown.body,
        "files": [
            serializers.changed_file(desk, each, new) for each in desk.bare.changes(old, new)
        ],
    }
    return ApiResponse(200, body, shown.headers)


def _ref(desk: GitHubState, name: str) -> str:
    sha = desk.bare.refs().get(name)
    if sha is None:
        raise not_found()
    return sha


def _refuse_ruled(desk: GitHubState, name: str) -> None:
    if any(fnmatchcase(name, pattern) for pattern in desk.settings.refused_refs):
        raise error_response(
            422, "Repository rule violations found\n\nCannot update this protected ref."
        )


def get_ref(desk: GitHubState, _: ApiRequest, name: str) -> ApiResponse:
    full = f"refs/{unquote(name)}"
    return ApiResponse(200, serializers.git_ref(desk, full, _ref(desk, full)))


def matching_refs(desk: GitHubState, incoming: ApiRequest, name: str) -> ApiResponse:
    start = f"refs/{unquote(name)}"
    found = {each: sha for each, sha in desk.bare.refs().items() if each.startswith(start)}
    return paginate(
        incoming, [serializers.git_ref(desk, *each) for each in found.items()], desk.url
    )


def _known_object(desk: GitHubState, body: dict[str, Any]) -> str:
    sha: str = body["sha"]
    if desk.bare.object_type(sha) is None:
        raise error_response(422, "Object does not exist")
    return sha


def create_ref(desk: GitHubState, incoming: ApiRequest) -> ApiResponse:
    body = require_fields(incoming, {"ref": str, "sha": str}, "Reference")
    name, sha = body["ref"], _known_object(desk, body)
    _refuse_ruled(desk, name)
    if not name.startswith("refs/") or name.count("/") < 2:
        raise error_response(
            422, "Reference name must start with 'refs' and have at least two slashes"
        )
    if not desk.bare.update_ref(name, sha, NO_COMMIT):
        raise error_response(422, "Reference already exists")
    return ApiResponse(201, serializers.git_ref(desk, name, sha))


def edit_ref(desk: GitHubState, incoming: ApiRequest, name: str) -> ApiResponse:
    """Compare and swap on ancestry, unless forced."""
    full = f"refs/{unquote(name)}"
    body = require_fields(incoming, {"sha": str}, "Reference")
    sha = _known_object(desk, body)
    _refuse_ruled(desk, full)
    try:
        old = _ref(desk, full)
    except GitHubErrorResponse as error:
        raise error_response(422, "Reference does not exist") from error
    forward = body.get("force") is True or desk.bare.is_ancestor(old, sha)
    if not forward or not desk.bare.update_ref(full, sha, old):
        raise error_response(422, "Update is not a fast forward")
    return ApiResponse(200, serializers.git_ref(desk, full, sha))


def delete_ref(desk: GitHubState, _: ApiRequest, name: str) -> ApiResponse:
    full = f"refs/{unquote(name)}"
    _refuse_ruled(desk, full)
    sha = desk.bare.refs().get(full)
    if sha is None or not desk.bare.delete_ref(full, sha):
        raise error_response(422, "Reference does not exist")
    return ApiResponse(204)
