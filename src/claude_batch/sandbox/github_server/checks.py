"""The check run endpoints of the GitHub look-alike."""

from collections.abc import Mapping
from typing import Any

from claude_batch.sandbox.github_server.comment_serializers import check as shape
from claude_batch.sandbox.github_server.messages import (
    ApiRequest,
    ApiResponse,
    forbidden,
    invalid_field,
    not_found,
    paginate,
    require_fields,
)
from claude_batch.sandbox.github_server.serializers import Json
from claude_batch.sandbox.github_server.state import CheckRun, GitHubState

MOST_ANNOTATIONS = 50  # in one request; later requests add to them
MOST_OUTPUT = 65_535
SAID = ("title", "summary", "text")


def _refuse(output: object) -> None:
    if not isinstance(output, dict):
        raise invalid_field("CheckRun", "output", "is not an object", "invalid")
    for name in SAID[1:]:
        if len(output.get(name) or "") > MOST_OUTPUT:
            most = f"is too long (maximum is {MOST_OUTPUT} characters)"
            raise invalid_field("CheckRun", name, most)
    if len(output.get("annotations", [])) > MOST_ANNOTATIONS:
        most = f"No more than {MOST_ANNOTATIONS} annotations are permitted per request."
        raise invalid_field("CheckRun", "annotations", most)


def _write(desk: GitHubState, made: CheckRun, body: Mapping[str, Any]) -> None:
    output = body.get("output", {})
    _refuse(output)
    conclusion = body.get("conclusion", made.conclusion)
    status = "completed" if body.get("conclusion") else body.get("status", made.status)
    if status == "completed" and conclusion is None:
        raise invalid_field("CheckRun", "conclusion", "a completed check run needs a conclusion")
    made.name = body.get("name", made.name)
    made.status, made.conclusion = status, conclusion
    made.details_url = body.get("details_url", made.details_url)
    made.external_id = body.get("external_id", made.external_id)
    for name in SAID:
        setattr(made, name, output.get(name, getattr(made, name)))
    made.annotations.extend(output.get("annotations", []))
    if status == "completed":
        made.completed_at = body.get("completed_at") or made.completed_at or desk.timestamp()


def create(desk: GitHubState, incoming: ApiRequest) -> ApiResponse:
    body = require_fields(incoming, {"name": str, "head_sha": str}, "CheckRun")
    account = incoming.account
    if account is None or not account.is_bot:
        raise forbidden()  # only an app, such as the one behind GITHUB_TOKEN, may write checks
    if desk.bare.object_type(body["head_sha"]) != "commit":
        raise invalid_field("CheckRun", "head_sha", f"No commit found for SHA: {body['head_sha']}")
    started = body.get("started_at") or desk.timestamp()
    made = CheckRun(
        desk.next_id(), account.login, body["name"], body["head_sha"], "queued", None, started, None
    )
    _write(desk, made, body)
    desk.check_runs[made.id] = made
    return ApiResponse(201, shape(desk, made))


def _check(desk: GitHubState, number: str) -> CheckRun:
    if int(number) not in desk.check_runs:
        raise not_found()
    return desk.check_runs[int(number)]


def get(desk: GitHubState, _: ApiRequest, number: str) -> ApiResponse:
    return ApiResponse(200, shape(desk, _check(desk, number)))


def edit(desk: GitHubState, incoming: ApiRequest, number: str) -> ApiResponse:
    made = _check(desk, number)
    if incoming.account is None or incoming.account.login != made.login:
        raise forbidden()
    _write(desk, made, require_fields(incoming, {}, "CheckRun"))
    return ApiResponse(200, shape(desk, made))


def annotations(desk: GitHubState, incoming: ApiRequest, number: str) -> ApiResponse:
    made = _check(desk, number)
    blank: Json = dict.fromkeys(("start_column", "end_column", "title", "raw_details"))
    blank["blob_href"] = f"{desk.url}/{desk.repository}/blob/{made.head_sha}"
    return paginate(incoming, [blank | each for each in made.annotations], desk.url)


def on_commit(desk: GitHubState, incoming: ApiRequest, revision: str) -> ApiResponse:
    """The latest of each name, or with filter=all every one; newest first."""
    sha = desk.bare.commit_id(revision)
    if sha is None:
        raise not_found()
    wanted = incoming.query.get("check_name")
    found = [
        made
        for made in reversed(desk.check_runs.values())
        if made.head_sha == sha and wanted in (None, made.name)
    ]
    if incoming.query.get("filter", "latest") == "latest":
        found = list({(made.login, made.name): made for made in reversed(found)}.values())[::-1]
    return paginate(incoming, [shape(desk, made) for made in found], desk.url, "check_runs")
