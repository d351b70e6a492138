"""Benchmark cases, which are pull requests with known findings, and the scores of answers.

Cases have the format of AACR-Bench (https://github.com/alibaba/aacr-bench, Apache-2.0):
a JSON array of pull requests with line-anchored comments. Comments match by place: same file,
same side, overlapping lines. Their meaning is not compared.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from claude_batch.anthropic_api.results import Usage
from claude_batch.diff.model import Side
from claude_batch.errors import BadUsage
from claude_batch.findings.placement import PlacedFinding
from claude_batch.formatting import first_error

PULL_REQUEST_URL = re.compile(r"github\.com/([^/]+/[^/]+)/pull/(\d+)")
REMEDY = "give a JSON array of pull requests in AACR-Bench's format; see docs/benchmark.md"


def _side(value: object) -> object:
    return str(value).upper()


class ExpectedComment(BaseModel):
    """A comment that a good review makes. Its lines are those of the file on its side."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    side: Annotated[Side, BeforeValidator(_side)] = Side.RIGHT
    from_line: int | None = None
    to_line: int | None = None

    def is_matched_by(self, placed: PlacedFinding) -> bool:
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
        """The repository as owner/name."""
        match = PULL_REQUEST_URL.search(self.url)
        return match[1] if match else self.url


CASES: TypeAdapter[tuple[BenchmarkCase, ...]] = TypeAdapter(tuple[BenchmarkCase, ...])


def parse_cases(name: str, data: bytes) -> tuple[BenchmarkCase, ...]:
    """Parse the cases of one file. Raises BadUsage."""
    try:
        return CASES.validate_json(data)
    except ValidationError as error:
        raise BadUsage(f"{name} does not hold cases: {first_error(error)}", REMEDY) from error


@dataclass(frozen=True)
class ReplayedCase:
    """One pull request with its recorded answers."""

    case: BenchmarkCase
    finding_count: int  # findings in the answers
    placed: tuple[PlacedFinding, ...]
    inline: tuple[PlacedFinding, ...]  # would be posted as inline comments
    usage: Usage
    usd: Decimal
    missing_answers: int = 0  # requests without a recorded answer


@dataclass(frozen=True)
class BenchmarkScore:
    pull_requests: int
    expected: int
    findings: int
    placed: int
    inline: int
    matching_comments: int  # inline comments on the lines of an expected one
    matched_expectations: int  # expected comments with an inline comment on their lines
    input_tokens: int
    output_tokens: int
    usd: Decimal
    missing_answers: int

    @property
    def placement(self) -> float | None:
        """The share of findings whose anchors named lines."""
        return _share(self.placed, self.findings)

    @property
    def precision(self) -> float | None:
        return _share(self.matching_comments, self.inline)

    @property
    def recall(self) -> float | None:
        return _share(self.matched_expectations, self.expected)

    @property
    def comments_per_pull_request(self) -> float | None:
        return _share(self.inline, self.pull_requests)


def score_replays(replays: Sequence[ReplayedCase]) -> BenchmarkScore:
    """Score the pull requests that have at least one recorded answer."""
    scored = [replay for replay in replays if replay.usage.prompt or replay.usage.output]
    return BenchmarkScore(
        pull_requests=len(scored),
        expected=sum(len(replay.case.comments) for replay in scored),
        findings=sum(replay.finding_count for replay in scored),
        placed=sum(len(replay.placed) for replay in scored),
        inline=sum(len(replay.inline) for replay in scored),
        matching_comments=sum(map(_count_matching, scored)),
        matched_expectations=sum(map(_count_matched, scored)),
        input_tokens=sum(replay.usage.prompt for replay in scored),
        output_tokens=sum(replay.usage.output for replay in scored),
        usd=sum((replay.usd for replay in scored), Decimal(0)),
        missing_answers=sum(replay.missing_answers for replay in replays),
    )


def _count_matching(replay: ReplayedCase) -> int:
    return sum(
        any(comment.is_matched_by(placed) for comment in replay.case.comments)
        for placed in replay.inline
    )


def _count_matched(replay: ReplayedCase) -> int:
    return sum(
        any(comment.is_matched_by(placed) for placed in replay.inline)
        for comment in replay.case.comments
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
