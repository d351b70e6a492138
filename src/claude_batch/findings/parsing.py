"""Parse the findings of a response (prompts/templates/answer.schema.json)."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from claude_batch.anthropic_api.results import (
    ValidResponse,
    lowercase,
    printable_excerpt,
    validate_json,
)
from claude_batch.diff.model import Side
from claude_batch.findings.anchors import AnchoredTask, AnchorError, LineRange, resolve_anchors
from claude_batch.findings.finding import (
    Category,
    Confidence,
    Finding,
    Severity,
    compute_finding_id,
    compute_fingerprint,
)

MAX_FINDINGS = 200  # of one answer; the text of later ones is dropped
MAX_TITLE = 200  # characters
MAX_BODY = 4_000
MAX_REPLACEMENT = 20_000  # a longer one is dropped: half a replacement is wrong code
EMPTY_TEXT = {"start": "", "end": "", "title": "", "body": "", "replacement": None}


class ResponseFinding(BaseModel):
    """One finding as the model writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: str = Field(alias="from")
    end: str = Field(alias="to")
    severity: Annotated[Severity, BeforeValidator(lowercase)]
    confidence: Annotated[Confidence, BeforeValidator(lowercase)]
    category: Annotated[Category, BeforeValidator(lowercase)]
    title: str
    body: str
    replacement: str | None


class ReviewResponse(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    findings: tuple[ResponseFinding, ...]


def validate_review(text: str) -> ValidResponse:
    """Check the text of a review and count its findings. Raises InvalidResponse."""
    count = len(validate_json(text, ReviewResponse).findings)
    if count <= MAX_FINDINGS:
        return ValidResponse(count)
    remark = f"{count - MAX_FINDINGS} findings beyond the first {MAX_FINDINGS} were left out"
    return ValidResponse(count, remark)


def parse_review(
    text: str, custom_id: str, tasks: Sequence[AnchoredTask], kind: str
) -> tuple[Finding, ...]:
    """Return the findings of a complete answer. Raises InvalidResponse.

    `tasks` are those of the request, in its order. A finding with invalid anchors is unplaced.
    """
    return tuple(
        _build_finding(
            finding if index < MAX_FINDINGS else finding.model_copy(update=EMPTY_TEXT),
            (custom_id, index),
            tasks,
            kind,
        )
        for index, finding in enumerate(validate_json(text, ReviewResponse).findings)
    )


def _build_finding(
    response: ResponseFinding, place: tuple[str, int], tasks: Sequence[AnchoredTask], kind: str
) -> Finding:
    """Build the finding at `place`: the request's custom id and the index in its answer."""
    task: AnchoredTask | None = None
    lines, unplaced = LineRange(0, 0, 0, Side.RIGHT), None
    path = tasks[0].path if tasks else ""
    # Two findings without lines may differ: their fingerprint is made of their place.
    hashes = f"{place[0]}:{place[1]}"
    try:
        lines = resolve_anchors(response.start, response.end, tasks)
    except AnchorError as reason:
        unplaced = str(reason)
    else:
        task = tasks[lines.task_index]
        path = task.path
        hashes = "".join(task.hashes_on_side(lines.first, lines.last, lines.side))
    title, body = _clean_text(response)
    replacement = response.replacement if title else None
    return Finding(
        id=compute_finding_id(*place),
        fingerprint=compute_fingerprint(path, hashes, kind, response.category),
        task=task.id if task else None,
        kind=kind,
        path=path,
        first=lines.first,
        last=lines.last,
        side=lines.side,
        category=response.category,
        severity=response.severity,
        confidence=response.confidence,
        title=title,
        body=body,
        replacement=replacement if len(replacement or "") <= MAX_REPLACEMENT else None,
        unplaced=unplaced,
    )


def _clean_text(response: ResponseFinding) -> tuple[str, str]:
    """Return title and body; both empty if there is not a letter or digit."""
    body = printable_excerpt(response.body, MAX_BODY)
    titles = _clean_title(response.title), _clean_title(body)
    title = next((title for title in titles if any(map(str.isalnum, title))), "")
    return title, body if title else ""


def _clean_title(text: str) -> str:
    return printable_excerpt(" ".join(text[: 8 * MAX_TITLE].split()), MAX_TITLE)
