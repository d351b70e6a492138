"""findings/parsing."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from claude_batch.anthropic_api.results import ValidResponse, printable_excerpt, lowercase, validate_json
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

MAX_FINDINGS = 200  # of one answer; of those beyond it nothing is kept but that they were there
MAX_TITLE = 200  # characters
MAX_BODY = 4_000
MAX_REPLACEMENT = 20_000  # a longer one is left out: half a replacement is wrong code
EMPTY_TEXT = {"start": "", "end": "", "title": "", "body": "", "replacement": None}


class ResponseFinding(BaseModel):
    """One finding as the model writes it: prompts/answer.schema.json."""

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
    """Check the text of a review and count its findings. Raises Unparsable."""
    count = len(validate_json(text, ReviewResponse).findings)
    if count <= MAX_FINDINGS:
        return ValidResponse(count)
    remark = f"{count - MAX_FINDINGS} findings beyond the first {MAX_FINDINGS} were left out"
    return ValidResponse(count, remark)


def parse_review(
    text: str, custom_id: str, tasks: Sequence[AnchoredTask], kind: str
) -> tuple[Finding, ...]:
    """The findings of a complete answer. Raises Unparsable.

    `tasks` are those of the request, in the order in which they were shown. A finding whose
    anchors do not hold is unplaced. Its fingerprint is made of the request and its index: nothing
    says that two findings without a place are the same.
    """
    said = validate_json(text, ReviewResponse)
    return tuple(
        _finding(_bounded(one, index), custom_id, index, tasks, kind)
        for index, one in enumerate(said.findings)
    )


def _bounded(said: ResponseFinding, index: int) -> ResponseFinding:
    return said if index < MAX_FINDINGS else said.model_copy(update=EMPTY_TEXT)


def _finding(
    said: ResponseFinding,
    custom_id: str,
    index: int,
    tasks: Sequence[AnchoredTask],
    kind: str,
) -> Finding:
    where: LineRange | None = None
    unplaced = None
    try:
        where = resolve_anchors(said.start, said.end, tasks)
    except AnchorError as reason:
        unplaced = str(reason)
    task = tasks[where.task_index] if where else None
    path = task.path if task else next((task.path for task in tasks), "")
    hashes = _hashes(tasks[where.task_index], where) if where else f"{custom_id}:{index}"
    title, body = _words(said)
    replacement = said.replacement if title else None
    return Finding(
        id=compute_finding_id(custom_id, index),
        fingerprint=compute_fingerprint(path, hashes, kind, said.category),
        task=task.id if task else None,
        kind=kind,
        path=path,
        first=where.first if where else 0,
        last=where.last if where else 0,
        side=where.side if where else Side.RIGHT,
        category=said.category,
        severity=said.severity,
        confidence=said.confidence,
        title=title,
        body=body,
        replacement=replacement if len(replacement or "") <= MAX_REPLACEMENT else None,
        unplaced=unplaced,
    )


def _words(said: ResponseFinding) -> tuple[str, str]:
    """Title and body; neither where there is no letter to read."""
    body = printable_excerpt(said.body, MAX_BODY)
    titles = _title(said.title), _title(body)
    title = next((title for title in titles if any(map(str.isalnum, title))), "")
    return title, body if title else ""


def _hashes(task: AnchoredTask, where: LineRange) -> str:
    """Those of the anchored lines that stand in the file of that side."""
    positions = range(where.first, where.last + 1)
    return "".join(task.hash_at(at) for at in positions if task.signs[at] != where.side.hidden_sign)


def _title(text: str) -> str:
    return printable_excerpt(" ".join(text[: 8 * MAX_TITLE].split()), MAX_TITLE)
