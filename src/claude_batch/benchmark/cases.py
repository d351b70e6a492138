"""Replaying pull requests whose findings are known: the cases, and how answers are scored.

The form of the cases is that of AACR-Bench (https://github.com/alibaba/aacr-bench, Apache-2.0):
a JSON array of pull requests with line-anchored comments. A match is one of place: same file,
same side, overlapping lines. Whether two comments mean the same is not judged.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from claude_batch.anthropic_api.results import Usage
from claude_batch.diff.model import Side
from claude_batch.errors import BadUsage
from claude_batch.findings.placement import Placed
from claude_batch.formatting import first_error

PULL = re.compile(r"github\.com/([^/]+/[^/]+)/pull/(\d+)")
REMEDY = "give a JSON array of pull requests in AACR-Bench's form; see docs/benchmark.md"


def _side(value: object) -> object:
    return str(value).upper()


class ExpectedComment(BaseModel):
    """A comment that a good review makes. Lines are of the file on its side."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    side: Annotated[Side, BeforeValidator(_side)] = Side.RIGHT
    from_line: int | None = None
    to_line: int | None = None

    def is_matched_by(self, placed: Placed) -> bool:
        last = self.to_line or self.from_line
        if last is None or placed.path != self.path or placed.side is not self.side:
            return False
        return placed.first_line <= last and (self.from_line or last) <= placed.line


class BenchmarkCase(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str = Field(alias="githubPrUrl")
    base: str = Field(alias="target_commit", pattern=r"^[0-9a-f]{40,64}$")
    head: str = Field(alias="source_commit", pattern=r"^[0-9a-f]{40,64}$")
    comments: tuple[ExpectedComment, ...] = ()

    @property
    def repository(self) -> str:
        """owner/name."""
        match = PULL.search(self.url)
        return match[1] if match else self.url


CASES: TypeAdapter[tuple[BenchmarkCase, ...]] = TypeAdapter(tuple[BenchmarkCase, ...])


def parse_cases(name: str, data: bytes) -> tuple[BenchmarkCase, ...]:
    """Raises BadUsage."""
    try:
        return CASES.validate_json(data)
    except ValidationError as error:
        raise BadUsage(f"{name} does not hold cases: {first_error(error)}", REMEDY) from error


@dataclass(frozen=True)
class ReplayedCase:
    """One pull request with what was answered about it."""

    case: BenchmarkCase
    finding_count: int  # findings in the answers
    placed: tuple[Placed, ...]
    inline: tuple[Placed, ...]  # what would be posted at lines
    usage: Usage
    usd: Decimal
    missing_answers: int = 0  # requests without a recorded answer


@dataclass(frozen=True)
class BenchmarkScore:
    pull_requests: int
    golden: int
    said: int
    placed: int
    inline: int
    hits: int  # inline comments on the lines of a golden one
    found: int  # golden comments with an inline comment on their lines
    input_tokens: int
    output_tokens: int
    usd: Decimal
    missing: int

    @property
    def placement(self) -> float | None:
        """Share of findings whose anchors named lines."""
        return _share(self.placed, self.said)

    @property
    def precision(self) -> float | None:
        return _share(self.hits, self.inline)

    @property
    def recall(self) -> float | None:
        return _share(self.found, self.golden)

    @property
    def comments_per_pull_request(self) -> float | None:
        return _share(self.inline, self.pull_requests)


def score(replays: Sequence[ReplayedCase]) -> BenchmarkScore:
    """Over pull requests that have at least one recorded answer."""
    counted = [one for one in replays if one.usage.prompt or one.usage.output]
    usages = [one.usage for one in counted]
    return BenchmarkScore(
        pull_requests=len(counted),
        golden=sum(len(one.case.comments) for one in counted),
        said=sum(one.finding_count for one in counted),
        placed=sum(len(one.placed) for one in counted),
        inline=sum(len(one.inline) for one in counted),
        hits=sum(_is_hit(placed, one.case.comments) for one in counted for placed in one.inline),
        found=sum(_is_found(golden, one.inline) for one in counted for golden in one.case.comments),
        input_tokens=sum(usage.prompt for usage in usages),
        output_tokens=sum(usage.output for usage in usages),
        usd=sum((one.usd for one in counted), Decimal(0)),
        missing=sum(one.missing_answers for one in replays),
    )


def _is_hit(placed: Placed, goldens: Iterable[ExpectedComment]) -> bool:
    return any(golden.is_matched_by(placed) for golden in goldens)


def _is_found(golden: ExpectedComment, inline: Iterable[Placed]) -> bool:
    return any(golden.is_matched_by(placed) for placed in inline)


def _share(part: int, whole: int) -> float | None:
    """None where there is nothing to take a share of."""
    return part / whole if whole else None
