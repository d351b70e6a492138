"""A usage report of the Admin API: tokens by day, model and service tier.

https://platform.claude.com/docs/en/api/admin/usage_report/retrieve_messages
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from claude_batch.anthropic_api.results import Usage
from claude_batch.costs.spending import utc_day
from claude_batch.errors import CannotRead
from claude_batch.formatting import first_error

MAX_COUNT = 10**15  # a larger count of tokens is a mistake
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]

REMEDY = (
    "export it with `bucket_width=1d`, `group_by[]=model` and `group_by[]=service_tier`, or as CSV "
    "with the columns of docs/costs.md"
)

UsageKey = tuple[str, str, str]  # day, model, service tier


class _ReportModel(BaseModel):
    """A part of the API's document. Fields that are not compared are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CacheCreation(_ReportModel):
    ephemeral_5m_input_tokens: Count
    ephemeral_1h_input_tokens: Count


class UsageResult(_ReportModel):
    model: Annotated[str, Field(min_length=1)]
    service_tier: Annotated[str, Field(min_length=1)]
    uncached_input_tokens: Count
    output_tokens: Count
    cache_read_input_tokens: Count
    cache_creation: CacheCreation


class UsageBucket(_ReportModel):
    starting_at: AwareDatetime
    results: tuple[UsageResult, ...]


class UsageReportDocument(_ReportModel):
    data: tuple[UsageBucket, ...]
    has_more: bool = False


class UsageCsvRow(_ReportModel):
    date: date
    model: Annotated[str, Field(min_length=1)]
    service_tier: Annotated[str, Field(min_length=1)]
    input_tokens: Count
    output_tokens: Count
    cache_read_input_tokens: Count
    cache_creation_input_tokens: Count


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens by class."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    writes: tuple[int, int] | None = (0, 0)  # for 5 minutes, for 1 hour; None: not known apart

    @classmethod
    def from_usage(cls, usage: Usage) -> "TokenCounts":
        writes = (usage.cache_write_5m, usage.cache_write_1h)
        return cls(usage.input, usage.output, usage.cache_read, sum(writes), writes)

    def __add__(self, other: "TokenCounts") -> "TokenCounts":
        writes = None
        if self.writes is not None and other.writes is not None:
            writes = (self.writes[0] + other.writes[0], self.writes[1] + other.writes[1])
        return TokenCounts(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            writes,
        )

    def usage(self) -> Usage | None:
        """Return None if the price of the cache writes is unknown."""
        if self.writes is None and self.cache_write:
            return None
        short, long = self.writes or (0, 0)
        return Usage(
            input=self.input,
            output=self.output,
            cache_read=self.cache_read,
            cache_write_5m=short,
            cache_write_1h=long,
        )


@dataclass(frozen=True, slots=True)
class UsageReport:
    days: frozenset[str]
    tokens: Mapping[UsageKey, TokenCounts]
    has_more: bool  # there are further pages


def parse_usage_report(name: str, data: bytes) -> UsageReport:
    """Parse the JSON of the Admin API, or CSV. Raises CannotRead."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CannotRead(f"{name} is not UTF-8", "save it as UTF-8") from error
    try:
        return _parse_json(text) if text.lstrip().startswith("{") else _parse_csv(name, text)
    except csv.Error as error:
        raise CannotRead(f"{name} is not CSV: {error}", REMEDY) from error
    except ValidationError as error:
        problem = f"{name} is not a usage report: {first_error(error)}"
        raise CannotRead(problem, REMEDY) from error


def _parse_json(text: str) -> UsageReport:
    report = UsageReportDocument.model_validate_json(text)
    totals: dict[UsageKey, TokenCounts] = {}
    for bucket in report.data:
        for row in bucket.results:
            short = row.cache_creation.ephemeral_5m_input_tokens
            long = row.cache_creation.ephemeral_1h_input_tokens
            tokens = TokenCounts(
                row.uncached_input_tokens,
                row.output_tokens,
                row.cache_read_input_tokens,
                short + long,
                (short, long),
            )
            add_tokens(totals, (utc_day(bucket.starting_at), row.model, row.service_tier), tokens)
    return UsageReport(
        frozenset(utc_day(bucket.starting_at) for bucket in report.data), totals, report.has_more
    )


def _parse_csv(name: str, text: str) -> UsageReport:
    reader = csv.DictReader(io.StringIO(text))
    missing = [key for key in UsageCsvRow.model_fields if key not in (reader.fieldnames or ())]
    if missing:
        raise CannotRead(
            f"{name} is neither the JSON of a usage report nor CSV with a column {missing[0]!r}",
            REMEDY,
        )
    totals: dict[UsageKey, TokenCounts] = {}
    for line in reader:
        row = UsageCsvRow.model_validate(line)
        tokens = TokenCounts(
            row.input_tokens,
            row.output_tokens,
            row.cache_read_input_tokens,
            row.cache_creation_input_tokens,
            None,
        )
        add_tokens(totals, (row.date.isoformat(), row.model, row.service_tier), tokens)
    return UsageReport(frozenset(key[0] for key in totals), totals, has_more=False)


def add_tokens(totals: dict[UsageKey, TokenCounts], key: UsageKey, tokens: TokenCounts) -> None:
    totals[key] = totals[key] + tokens if key in totals else tokens
