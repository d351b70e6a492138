"""Check runs: their JSON and their endpoints."""

from collections.abc import Mapping
from typing import Any

from claude_batch.sandbox.github_server.messages import (
    ACTIONS_BOT,
    ApiRequest,
    ApiResponse,
    forbidden,
    invalid_field,
    not_found,
    paginate,
    require_fields,
)
from claude_batch.sandbox.github_server.repository import (
    EPOCH,
    Json,
    node_id,
    pick_fields,
    stable_id,
    user_json,
)
from claude_batch.sandbox.github_server.state import CheckRun, GitHubState

MAX_ANNOTATIONS = 50  # in one request; later requests add to them
MAX_OUTPUT = 65_535  # characters
OUTPUT_TEXTS = ("title", "summary", "text")


def _check_json(state: GitHubState, check: CheckRun) -> Json:
    url = f"{state.api_url}/check-runs/{check.id}"
    times = ("started_at", "completed_at")
    names = ("id", "name", "head_sha", "external_id", "details_url", "status", "conclusion")
    return {
        **pick_fields(check, *names, *times),
        "node_id": node_id("Check", check.id),
        "url": url,
        "html_url": f"{state.site_url}/runs/{check.id}",
        "output": {
            **pick_fields(check, *OUTPUT_TEXTS),
            "annotations_count": len(check.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": stable_id(check.head_sha)},
        "app": _app_json(state, check.login),
        "pull_requests": [],
    }


def _app_json(state: GitHubState, login: str) -> Json | None:
    if not login.endswith("[bot]"):
        return None
    slug = login.removesuffix("[bot]")
    return {
        "id": stable_id(slug),
        "slug": slug,
        "node_id": node_id("App", slug),
        "owner": user_json(state, "github" if login == ACTIONS_BOT else state.owner),
        "name": slug,
        "description": None,
        "external_url": state.url,
        "html_url": f"{state.url}/apps/{slug}",
        "created_at": EPOCH,
        "updated_at": EPOCH,
        "permissions": {"checks": "write"},
        "events": [],
    }


def _validate_output(output: object) -> None:
    if not isinstance(output, dict):
        raise invalid_field("CheckRun", "output", "is not an object", "invalid")
    for name in ("summary", "text"):
        if len(output.get(name) or "") > MAX_OUTPUT:
            message = f"is too long (maximum is {MAX_OUTPUT} characters)"
            raise invalid_field("CheckRun", name, message)
    if len(output.get("annotations", [])) > MAX_ANNOTATIONS:
        message = f"No more than {MAX_ANNOTATIONS} annotations are permitted per request."
        raise invalid_field("CheckRun", "annotations", message)


def _update(state: GitHubState, check: CheckRun, body: Mapping[str, Any]) -> None:
    output = body.get("output", {})
    _validate_output(output)
    conclusion = body.get("conclusion", check.conclusion)
    status = "completed" if body.get("conclusion") else body.get("status", check.status)
    if status == "completed" and conclusion is None:
        raise invalid_field("CheckRun", "conclusion", "a completed check run needs a conclusion")
    check.status, check.conclusion = status, conclusion
    for name in ("name", "details_url", "external_id"):
        setattr(check, name, body.get(name, getattr(check, name)))
    for name in OUTPUT_TEXTS:
        setattr(check, name, output.get(name, getattr(check, name)))
    check.annotations.extend(output.get("annotations", []))
    if status == "completed":
        check.completed_at = body.get("completed_at") or check.completed_at or state.timestamp()


def create_check(state: GitHubState, request: ApiRequest) -> ApiResponse:
    body = require_fields(request, {"name": str, "head_sha": str}, "CheckRun")
    # Only an app, such as the one of GITHUB_TOKEN, may write checks.
    if request.account is None or not request.account.is_bot:
        raise forbidden()
    head = body["head_sha"]
    if state.bare.object_type(head) != "commit":
        raise invalid_field("CheckRun", "head_sha", f"No commit found for SHA: {head}")
    started = body.get("started_at") or state.timestamp()
    check = CheckRun(
        state.next_id(), request.login, body["name"], head, "queued", None, started, None
    )
    _update(state, check, body)
    state.check_runs[check.id] = check
    return ApiResponse(201, _check_json(state, check))


def _find(state: GitHubState, check_id: str) -> CheckRun:
    if int(check_id) not in state.check_runs:
        raise not_found()
    return state.check_runs[int(check_id)]


def get_check(state: GitHubState, _: ApiRequest, check_id: str) -> ApiResponse:
    return ApiResponse(200, _check_json(state, _find(state, check_id)))


def edit_check(state: GitHubState, request: ApiRequest, check_id: str) -> ApiResponse:
    check = _find(state, check_id)
    if request.login != check.login:
        raise forbidden()
    _update(state, check, require_fields(request, {}, "CheckRun"))
    return ApiResponse(200, _check_json(state, check))


def list_annotations(state: GitHubState, request: ApiRequest, check_id: str) -> ApiResponse:
    check = _find(state, check_id)
    defaults: Json = dict.fromkeys(("start_column", "end_column", "title", "raw_details"))
    defaults["blob_href"] = f"{state.site_url}/blob/{check.head_sha}"
    return paginate(request, [defaults | fields for fields in check.annotations], state.url)


def list_checks(state: GitHubState, request: ApiRequest, revision: str) -> ApiResponse:
    """Newest first: the latest of each name, or all of them with filter=all."""
    sha = state.bare.commit_id(revision)
    if sha is None:
        raise not_found()
    name = request.query.get("check_name")
    checks = [
        check
        for check in state.check_runs.values()
        if check.head_sha == sha and name in (None, check.name)
    ]
    if request.query.get("filter", "latest") == "latest":
        checks = list({(check.login, check.name): check for check in checks}.values())
    newest_first = sorted(checks, key=lambda check: check.id, reverse=True)
    fields = [_check_json(state, check) for check in newest_first]
    return paginate(request, fields, state.url, "check_runs")
