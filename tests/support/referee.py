"""GitHub's OpenAPI description as a referee of both sides of the look-alike."""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema.exceptions import best_match
from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from claude_batch.sandbox.http_messages import LoggedRequest

DESCRIPTION = Path(__file__).parents[1] / "data" / "github-openapi.json"
URI = "urn:github"
# Our cut of the description has neither permissions nor reactions, and GraphQL is not REST.
NOT_DESCRIBED = re.compile(
    r"/repos/[^/]+/[^/]+/(collaborators/[^/]+/permission|pulls/comments/\d+/reactions)"
    r"|/graphql|/api/graphql"
)
ANY_PATH = {400, 401, 403, 404, 422, 429, 502}  # every path may answer so; most do not say it


@cache
def description() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DESCRIPTION.read_text())
    # GitHub answers null for the line of an outdated comment; the description does not say so.
    remark = loaded["components"]["schemas"]["pull-request-review-comment"]["properties"]
    remark["line"]["nullable"] = True
    return loaded


@cache
def registry() -> Registry[Any]:
    resource = Resource.from_contents(description(), default_specification=DRAFT4)
    return Registry().with_resource(URI, resource)


@cache
def templates() -> list[tuple[re.Pattern[str], str]]:
    """Plain paths first, so that /pulls/comments/{id} is not taken for /pulls/{number}/…"""
    paths = sorted(description()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), path) for path in paths]


@cache
def validator(pointer: str) -> OAS30Validator:
    return OAS30Validator({"$ref": f"{URI}#{pointer}"}, registry=registry())


def _step(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")


def _faults(pointer: str, value: Any) -> Iterator[str]:
    error = best_match(validator(pointer).iter_errors(value))
    if error is not None:
        at = "/".join(map(str, error.absolute_path))
        yield f"at {at or 'the top'}: {error.message[-300:]}"


def faults_of(request: LoggedRequest) -> Iterator[str]:
    path = next((known for seen, known in templates() if seen.fullmatch(request.path)), None)
    method = request.method.lower()
    if path is None or method not in description()["paths"][path]:
        if request.status < 300 and not NOT_DESCRIBED.fullmatch(request.path):
            yield "not in the description"
        return
    operation = description()["paths"][path][method]
    start = f"/paths/{_step(path)}/{method}"
    if request.status < 300 and request.body is not None:
        pointer = f"{start}/requestBody/content/application~1json/schema"
        yield from (f"request {fault}" for fault in _faults(pointer, request.body))
    responses = operation["responses"]
    known = responses.get(str(request.status))
    if known is None:
        if request.status not in ANY_PATH:
            yield "status is not in the description"
        return
    pointer = f"{start}/responses/{request.status}"
    if "$ref" in known:
        pointer = known["$ref"].removeprefix("#")
        known = description()["components"]["responses"][pointer.rpartition("/")[2]]
    if "content" in known:
        pointer += f"/{_step('content')}/{_step('application/json')}/schema"
        yield from (f"answer {fault}" for fault in _faults(pointer, request.answer))


def verdict(log: Iterable[LoggedRequest]) -> list[str]:
    """What GitHub's description has against this traffic; git transport is not its business."""
    return [
        f"{each.method} {each.path} -> {each.status}: {fault}"
        for each in log
        if ".git/" not in each.path
        for fault in faults_of(each)
    ]
