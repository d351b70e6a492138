"""The JSON that GitHub's API gives for what the look-alike remembers."""

import base64
import hashlib
from typing import Any

from claude_batch.sandbox.github_server.git_repository import ChangedFile, Signature
from claude_batch.sandbox.github_server.state import GitHubState, PullRecord

Json = dict[str, Any]
BORN = "2020-01-01T00:00:00Z"

USER_LINKS = (
    "followers following gists starred subscriptions organizations repos events received_events"
)

REPO_LINKS = (
    "archive assignees blobs branches collaborators comments commits compare contents "
    "contributors deployments downloads events forks git_commits git_refs git_tags hooks "
    "issue_comment issue_events issues keys labels languages merges milestones notifications "
    "pulls releases stargazers statuses subscribers subscription tags teams trees"
)


def node(*parts: object) -> str:
    return base64.b64encode(":".join(map(str, parts)).encode()).decode()


def number_of(text: str) -> int:
    """An id that is the same in every run."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) or 1


def user(desk: GitHubState, login: str) -> Json:
    url = f"{desk.url}/users/{login.replace('[', '%5B').replace(']', '%5D')}"
    return {
        "login": login,
        "id": number_of(login),
        "node_id": node("User", login),
        "avatar_url": f"{desk.url}/avatars/{number_of(login)}",
        "gravatar_id": "",
        "url": url,
        "html_url": url,
        **{f"{name}_url": f"{url}/{name}" for name in USER_LINKS.split()},
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
    }


def whole_user(desk: GitHubState, login: str) -> Json:
    blank = ("bio", "blog", "company", "email", "hireable", "location", "name")
    none = ("followers", "following", "public_gists", "public_repos")
    shape = user(desk, login) | dict.fromkeys(blank) | dict.fromkeys(none, 0)
    return shape | {"created_at": BORN, "updated_at": BORN, "user_view_type": "public"}


def repository(desk: GitHubState, owner: str | None = None) -> Json:
    owner = owner or desk.owner
    full = f"{owner}/{desk.name}"
    url, site = f"{desk.url}/repos/{full}", f"{desk.url}/{full}"
    yes = ("has_issues", "has_projects", "has_wiki", "has_downloads")
    no = ("private", "has_pages", "has_discussions", "archived", "disabled")
    none = ("description", "homepage", "language", "mirror_url", "license")
    zero = "forks forks_count open_issues open_issues_count size stargazers_count watchers"
    zero += " watchers_count network_count subscribers_count"
    return {
        "id": number_of(full),
        "node_id": node("Repository", full),
        "name": desk.name,
        "full_name": full,
        "owner": user(desk, owner),
        "url": url,
        "html_url": site,
        **{f"{name}_url": f"{url}/{name}" for name in REPO_LINKS.split()},
        "clone_url": f"{site}.git",
        "git_url": f"{site}.git",
        "ssh_url": f"{site}.git",
        "svn_url": site,
        "fork": owner != desk.owner,
        "default_branch": desk.settings.default_branch,
        **dict.fromkeys(yes, True),
        **dict.fromkeys(no, False),
        **dict.fromkeys(none),
        **dict.fromkeys(zero.split(), 0),
        **dict.fromkeys(("pushed_at", "created_at", "updated_at"), BORN),
    }


def _end(desk: GitHubState, owner: str, ref: str, sha: str) -> Json:
    return {
        "label": f"{owner}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": user(desk, owner),
        "repo": repository(desk, owner),
    }


def pull_url(desk: GitHubState, number: int) -> str:
    return f"{desk.url}/repos/{desk.repository}/pulls/{number}"


def pull_page(desk: GitHubState, number: int) -> str:
    return f"{desk.url}/{desk.repository}/pull/{number}"


def label(desk: GitHubState, name: str) -> Json:
    url = f"{desk.url}/repos/{desk.repository}/labels/{name}"
    shape = {"id": number_of(name), "node_id": node("Label", name), "url": url, "name": name}
    return shape | {"description": None, "color": "ededed", "default": False}


def simple_pull(desk: GitHubState, pull: PullRecord) -> Json:
    url, page = pull_url(desk, pull.number), pull_page(desk, pull.number)
    issue = f"{desk.url}/repos/{desk.repository}/issues/{pull.number}"
    links = {
        "comments": f"{issue}/comments",
        "commits": f"{url}/commits",
        "statuses": f"{desk.url}/repos/{desk.repository}/statuses/{pull.head_sha}",
        "review_comments": f"{url}/comments",
        "review_comment": f"{desk.url}/repos/{desk.repository}/pulls/comments{{/number}}",
    }
    ends = {"html": page, "issue": issue, "self": url}
    return {
        "id": number_of(f"pull {pull.number}"),
        "node_id": node("PullRequest", pull.number),
        "number": pull.number,
        "state": "closed" if pull.closed_at else "open",
        "title": pull.title,
        "body": pull.body,
        "draft": pull.draft,
        "locked": False,
        "user": user(desk, pull.login),
        "labels": [label(desk, name) for name in pull.labels],
        "url": url,
        "html_url": page,
        "issue_url": issue,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        **{f"{name}_url": link for name, link in links.items()},
        "_links": {name: {"href": link} for name, link in (links | ends).items()},
        "base": _end(desk, desk.owner, pull.base_ref, pull.base_sha),
        "head": _end(desk, pull.head_owner, pull.head_ref, pull.head_sha),
        "created_at": pull.created_at,
        "updated_at": pull.updated_at,
        "closed_at": pull.closed_at,
        "merged_at": pull.merged_at,
        "merge_commit_sha": pull.merge_commit,
        "author_association": "CONTRIBUTOR",
        **dict.fromkeys(("assignee", "milestone", "auto_merge")),
    }


def whole_pull(desk: GitHubState, pull: PullRecord) -> Json:
    entries = [changed_file(desk, each, pull.head_sha) for each in desk.changes(pull)]
    return simple_pull(desk, pull) | {
        "merged": pull.merged_at is not None,
        "mergeable": None if pull.closed_at else True,
        "mergeable_state": "unknown" if pull.closed_at else "clean",
        "merged_by": user(desk, pull.login) if pull.merged_at else None,
        "maintainer_can_modify": False,
        "comments": sum(each.pull == pull.number for each in desk.issue_comments.values()),
        "review_comments": sum(each.pull == pull.number for each in desk.review_comments.values()),
        "commits": len(desk.commits(pull)),
        "additions": sum(each["additions"] for each in entries),
        "deletions": sum(each["deletions"] for each in entries),
        "changed_files": len(entries),
    }


def changed_file(desk: GitHubState, touched: ChangedFile, head: str) -> Json:
    signs = [line.sign for hunk in touched.hunks for line in hunk.lines]
    site = f"{desk.url}/{desk.repository}"
    path = f"{head}/{touched.path}".replace(" ", "%20")
    shape: Json = {
        "sha": touched.blob,
        "filename": touched.path,
        "status": touched.status,
        "additions": signs.count("+"),
        "deletions": signs.count("-"),
        "changes": signs.count("+") + signs.count("-"),
        "blob_url": f"{site}/blob/{path}",
        "raw_url": f"{site}/raw/{path}",
        "contents_url": f"{desk.url}/repos/{desk.repository}/contents/{path}",
    }
    if touched.patch:
        shape["patch"] = touched.patch
    if touched.old_path != touched.path:
        shape["previous_filename"] = touched.old_path
    return shape


def _signed(who: Signature) -> Json:
    return {"name": who.name, "email": who.email, "date": who.date}


def commit(desk: GitHubState, sha: str) -> Json:
    facts = desk.bare.commit(sha)
    api, site = f"{desk.url}/repos/{desk.repository}", f"{desk.url}/{desk.repository}"
    verified = {"verified": False, "reason": "unsigned"}
    verified |= dict.fromkeys(("signature", "payload", "verified_at"))
    return {
        "sha": sha,
        "node_id": node("Commit", sha),
        "url": f"{api}/commits/{sha}",
        "html_url": f"{site}/commit/{sha}",
        "comments_url": f"{api}/commits/{sha}/comments",
        "commit": {
            "url": f"{api}/git/commits/{sha}",
            "author": _signed(facts.author),
            "committer": _signed(facts.committer),
            "message": facts.message,
            "comment_count": 0,
            "tree": {"sha": facts.tree, "url": f"{api}/git/trees/{facts.tree}"},
            "verification": verified,
        },
        "author": {},  # no account is known by the address
        "committer": {},
        "parents": [
            {"sha": at, "url": f"{api}/commits/{at}", "html_url": f"{site}/commit/{at}"}
            for at in facts.parents
        ],
    }


def git_ref(desk: GitHubState, name: str, sha: str) -> Json:
    api = f"{desk.url}/repos/{desk.repository}/git"
    kind = desk.bare.object_type(sha) or "commit"
    return {
        "ref": name,
        "node_id": node("Ref", name),
        "url": f"{api}/{name}",
        "object": {"type": kind, "sha": sha, "url": f"{api}/{kind}s/{sha}"},
    }
