"""What a second look answers: one verdict on each claim (prompts/verdict.schema.json)."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from claude_batch.anthropic_api.results import InvalidResponse, lowercase, validate_json

LABEL_LENGTH = 8  # characters of a finding's id; the model copies it once for each claim


class ResponseVerdict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    claim: str
    verdict: Annotated[Literal["holds", "refuted", "unsure"], BeforeValidator(lowercase)]


class VerdictResponse(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    verdicts: tuple[ResponseVerdict, ...]


def claim_label(finding_id: str) -> str:
    """How a claim is named in a request."""
    return finding_id[:LABEL_LENGTH]


def parse_verdicts(text: str, about: Sequence[str]) -> tuple[str, ...]:
    """Those of the findings `about` that are refuted, in their order. Raises Unparsable.

    Nothing is refuted by accident: a claim that no finding bears is ignored, two verdicts on one
    claim refute it only together, and an answer that leaves a claim out is no answer.
    """
    said: dict[str, set[str]] = {}
    for one in validate_json(text, VerdictResponse).verdicts:
        said.setdefault(one.claim.strip(), set()).add(one.verdict)
    labels = [claim_label(finding) for finding in about]
    missing = [name for name in labels if name not in said or labels.count(name) > 1]
    if missing:
        raise InvalidResponse(f"{len(missing)} of {len(about)} claims have no verdict of their own")
    return tuple(
        finding for finding, name in zip(about, labels, strict=True) if said[name] == {"refuted"}
    )
