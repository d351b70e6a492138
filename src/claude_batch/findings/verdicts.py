"""Parse the response to a verification: one verdict on each claim.

The schema is prompts/templates/verdict.schema.json.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from claude_batch.anthropic_api.results import InvalidResponse, lowercase, validate_json

LABEL_LENGTH = 8  # characters of a finding's id; the model copies them for each claim


class ResponseVerdict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    claim: str
    verdict: Annotated[Literal["holds", "refuted", "unsure"], BeforeValidator(lowercase)]


class VerdictResponse(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    verdicts: tuple[ResponseVerdict, ...]


def claim_label(finding_id: str) -> str:
    """The name of a claim in a request."""
    return finding_id[:LABEL_LENGTH]


def parse_verdicts(text: str, finding_ids: Sequence[str]) -> tuple[str, ...]:
    """Return the refuted findings in the order of `finding_ids`. Raises InvalidResponse.

    Unknown claims are ignored. Two verdicts on one claim must agree to refute it. A response that
    leaves a claim out is invalid.
    """
    verdicts: dict[str, set[str]] = {}
    for claim in validate_json(text, VerdictResponse).verdicts:
        verdicts.setdefault(claim.claim.strip(), set()).add(claim.verdict)
    labels = [claim_label(finding_id) for finding_id in finding_ids]
    missing = [label for label in labels if label not in verdicts or labels.count(label) > 1]
    if missing:
        raise InvalidResponse(
            f"{len(missing)} of {len(finding_ids)} claims have no verdict of their own"
        )
    return tuple(
        finding_id
        for finding_id, label in zip(finding_ids, labels, strict=True)
        if verdicts[label] == {"refuted"}
    )
