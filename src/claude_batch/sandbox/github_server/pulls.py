"""The pull request endpoints of the GitHub look-alike."""

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
from claude_batch.sandbox.github_server.serializers import (
    changed_file,
    commit,
    simple_pull,
    whole_pull,
)
from claude_batch.sandbox.github_server.state import GitHubState, PullRecord


def open_pull(desk: GitHubState, record: PullRecord) -> PullRecord:
    """Put a new pull request on the desk, or refuse it as GitHub does."""
    head = desk.bare.commit_id(desk.branch_ref(record.head_owner, record.head_ref))
    base = desk.bare.commit_id(f"refs/heads/{record.base_ref}")
    if head is None or base is None:
        raise invalid_field("PullRequest", "base" if head else "head", "is invalid", "invalid")
    _refuse_twin(desk, record)
    if not desk.bare.commits_between(base, head):
        nothing = f"No commits between {record.base_ref} and {record.head_ref}"
        raise invalid_field("PullRequest", "head", nothing)
    made = replace(record, head_sha=head, base_sha=base)
    desk.pulls[made.number] = made
    desk.bare.update_ref(f"refs/pull/{made.number}/head", head, NO_COMMIT)
    return made


def _refuse_twin(desk: GitHubState, record: PullRecord) -> None:
    key = (record.head_owner, record.head_ref, record.base_ref)
    for other in desk.pulls.values():
        if not other.closed_at and key == (other.head_owner, other.head_ref, other.base_ref):
            said = f"A pull request already exists for {record.head_owner}:{record.head_ref}."
            raise invalid_field("PullRequest", "head", said)


def blank_pull(desk: GitHubState, title: str, head: str, base: str, login: str) -> PullRecord:
    """`head` is a branch, or owner:branch for one of a fork."""
    owner, _, ref = head.rpartition(":")
    number, at = max(desk.pulls, default=0) + 1, desk.timestamp()
    return PullRecord(number, title, "", login, owner or desk.owner, ref, base, "", "", at, at)


def create(desk: GitHubState, incoming: ApiRequest) -> ApiResponse:
    body = require_fields(incoming, {"head": str, "base": str, "title": str}, "PullRequest")
    login = incoming.account.login if incoming.account else "ghost"
    record = blank_pull(desk, body["title"], body["head"], body["base"], login)
    record = replace(record, body=body.get("body") or "", draft=bool(body.get("draft")))
    return ApiResponse(201, whole_pull(desk, open_pull(desk, record)))


def listing(desk: GitHubState, incoming: ApiRequest) -> ApiResponse:
    """Newest first. `head` is owner:branch."""
    query = incoming.query
    state = query.get("state", "open")
    found = [
        pull
        for pull in reversed(desk.pulls.values())
        if state in ("all", "closed" if pull.closed_at else "open")
        and query.get("base", pull.base_ref) == pull.base_ref
        and query.get("head", f"{pull.head_owner}:{pull.head_ref}")
        == f"{pull.head_owner}:{pull.head_ref}"
    ]
    return paginate(incoming, [simple_pull(desk, pull) for pull in found], desk.url)


def get(desk: GitHubState, _: ApiRequest, number: str) -> ApiResponse:
    return ApiResponse(200, whole_pull(desk, desk.pull(number)))


def edit(desk: GitHubState, incoming: ApiRequest, number: str) -> ApiResponse:
    pull = desk.pull(number)
    body = require_fields(incoming, {}, "PullRequest")
    state = body.get("state", "closed" if pull.closed_at else "open")
    if state not in ("open", "closed"):
        raise invalid_field("PullRequest", "state", "is not included in the list", "invalid")
    if state == "open" and pull.merged_at:
        raise invalid_field("PullRequest", "state", "cannot be changed. It is merged.", "invalid")
    pull.title = body.get("title", pull.title)
    pull.body = body.get("body", pull.body) or ""
    pull.updated_at = desk.timestamp()
    pull.closed_at = (pull.closed_at or desk.timestamp()) if state == "closed" else None
    desk.follow_refs()
    return ApiResponse(200, whole_pull(desk, pull))


def files(desk: GitHubState, incoming: ApiRequest, number: str) -> ApiResponse:
    pull = desk.pull(number)
    shapes = [changed_file(desk, each, pull.head_sha) for each in desk.changes(pull)]
    return paginate(incoming, shapes, desk.url)


def commits(desk: GitHubState, incoming: ApiRequest, number: str) -> ApiResponse:
    found = desk.commits(desk.pull(number))
    return paginate(incoming, [commit(desk, sha) for sha in found], desk.url)


def merge(desk: GitHubState, number: int) -> PullRecord:
    """Raises GitHubErrorResponse (405) when it does not merge cleanly, or is closed."""
    pull = desk.pull(number)
    title = f"Merge pull request #{number} from {pull.head_owner}/{pull.head_ref}"
    made = None if pull.closed_at else desk.bare.merge(pull.base_sha, pull.head_sha, title)
    if made is None or not desk.bare.update_ref(f"refs/heads/{pull.base_ref}", made, pull.base_sha):
        raise GitHubErrorResponse(ApiResponse(405, {"message": "Pull Request is not mergeable"}))
    pull.merge_commit, pull.merged_at = made, desk.timestamp()
    pull.closed_at = pull.updated_at = pull.merged_at
    return pull
