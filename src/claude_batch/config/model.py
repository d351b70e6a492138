"""The configuration as frozen pydantic models.

TOML has no null: `false` switches a key off where None is allowed.
"""

import re
from decimal import Decimal
from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)

from claude_batch.config.duration import DURATION_PATTERN, parse_duration
from claude_batch.findings.finding import Severity

BuiltInKind = Literal["review", "refactor", "security", "docs", "tests"]
Effort = Literal["low", "medium", "high", "xhigh", "max"]
Lane = Literal["batch", "now"]  # of a batch
PlanLane = Literal["batch", "now", "auto", "later"]
BUILT_IN_KINDS = get_args(BuiltInKind)
# Tags of the unions of this module. They stand in the location of an error.
BUILT_IN_KIND, OWN_KIND, SCALAR, TABLE = TAGS = ("<built-in kind>", "<own kind>", "<one>", "<more>")
RISKY_ONLY, EFFORT = "risky-only", "effort="  # steps of the ladder that do not name a model
MAX_AMOUNT = 1_000_000  # dollars, or bytes


def _false_as_none(value: object) -> object:
    return None if value is False else value


def _check_number(value: object) -> object:
    # pydantic would accept quoted amounts and truth values as numbers.
    if isinstance(value, str) or value is True:
        raise ValueError("must be a number")
    return _false_as_none(value)


def _json_number(low: float, high: float) -> dict[str, object]:
    return {"type": "number", "minimum": low, "maximum": high}


def _json_number_or_false(low: float, high: float) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [_json_number(low, high), {"const": False}]})


OFF = BeforeValidator(_false_as_none)
NUMBER = BeforeValidator(_check_number)
ModelName = Annotated[str, Field(min_length=1, max_length=100)]
Pattern = Annotated[str, Field(min_length=1, max_length=1_000)]
Prose = Annotated[str, Field(min_length=1, max_length=20_000)]
Rate = Annotated[  # dollars per million tokens
    Annotated[Decimal, Field(ge=Decimal("0.0001"), le=10_000)] | None,
    NUMBER,
    _json_number_or_false(0.0001, 10_000),
]
Discount = Annotated[
    Annotated[Decimal, Field(ge=0, le=Decimal("0.99"))],
    NUMBER,
    WithJsonSchema(_json_number(0, 0.99)),
]
Dollars = Annotated[
    Annotated[Decimal, Field(ge=0, le=MAX_AMOUNT)] | None,
    NUMBER,
    _json_number_or_false(0, MAX_AMOUNT),
]


class ConfigTable(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CustomRates(ConfigTable):
    """The rates of one model. The discount applies to the token classes that are not named."""

    input: Rate = Field(None, description="Dollars per million input tokens.")
    output: Rate = Field(None, description="Dollars per million output tokens.")
    cache_read: Rate = Field(None, description="Dollars per million, read from cache.")
    cache_write_5m: Rate = Field(
        None, description="Dollars per million, written to the cache for five minutes."
    )
    cache_write_1h: Rate = Field(
        None, description="Dollars per million, written to the cache for an hour."
    )
    discount: Discount = Field(
        Decimal(0), description="The share, 0 to 0.99, that is taken off the classes not named."
    )


class Budget(ConfigTable):
    """Limits in dollars. None (in TOML false): no limit."""

    pull_request: Dollars = Field(
        Decimal(1), description="The most that one pull request, or another submission, costs."
    )
    day: Dollars = Field(None, description="The most that is spent in a day (UTC).")
    month: Dollars = Field(Decimal(25), description="The most that is spent in a month (UTC).")


class PathRule(ConfigTable):
    """An instruction or a model for the files that match `path` (gitignore syntax)."""

    path: Pattern = Field("**", description="The files of this rule, in gitignore syntax.")
    below: Annotated[Annotated[int, Field(ge=1, le=MAX_AMOUNT, strict=True)] | None, OFF] = Field(
        None, description="Only files with fewer bytes of changes under review."
    )
    instruction: Annotated[Prose | None, OFF] = Field(
        None, description="An instruction to the model about these files."
    )
    model: Annotated[ModelName | None, OFF] = Field(
        None, description="The model for these files; the last matching rule decides."
    )

    @model_validator(mode="after")
    def _check_effect(self) -> "PathRule":
        if not (self.instruction or self.model):
            raise ValueError("must have an `instruction`, a `model`, or both")
        return self


def _check_ref(name: str) -> str:
    # Nearly the rules of `git check-ref-format --branch`.
    if (
        name.startswith(("-", "/", "."))
        or name.endswith(("/", ".", ".lock"))
        or re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{", name)
    ):
        raise ValueError("must be the name of a remote or a branch")
    return name


class LedgerConfig(ConfigTable):
    """The place of the ledger. `branch` may also be a full ref outside refs/heads/."""

    remote: Annotated[str, AfterValidator(_check_ref)] = Field(
        "origin", min_length=1, description="The remote that the ledger is pushed to."
    )
    branch: Annotated[str, AfterValidator(_check_ref)] = Field(
        "claude-batch-state",
        min_length=1,
        description="The branch of the ledger, or a full ref such as refs/claude-batch/x.",
    )


class OwnKind(ConfigTable):
    """A kind of the user's own, identified by its prompt."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$", description="The label of its findings.")
    prompt: Prose = Field(description="The question about each piece of changed code.")


ConfiguredKind = Annotated[
    Annotated[BuiltInKind, Tag(BUILT_IN_KIND)] | Annotated[OwnKind, Tag(OWN_KIND)],
    Discriminator(lambda value: OWN_KIND if isinstance(value, dict | OwnKind) else BUILT_IN_KIND),
]


def _check_kinds(kinds: tuple[str | OwnKind, ...]) -> tuple[str | OwnKind, ...]:
    if not kinds:
        raise ValueError("must be a list with at least one kind")
    names = [kind.name if isinstance(kind, OwnKind) else kind for kind in kinds]
    names += [name for name in BUILT_IN_KINDS if name not in kinds]
    if len(set(names)) < len(names):
        raise ValueError("must not repeat a name or give your own kind a built-in name")
    return kinds


def _check_duration(text: str) -> str:
    if parse_duration(text) is None:
        raise ValueError('must be a duration such as "30m", "12h" or "2d"')
    return text


Duration = Annotated[
    str,
    AfterValidator(_check_duration),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]


class LaneTable(ConfigTable):
    """The lane, and when the tasks of lane `later` are sent without a `flush`."""

    default: PlanLane = Field("batch", description="The lane, as the word alone would be.")
    flush_count: Annotated[Annotated[int, Field(ge=1, strict=True)] | None, OFF] = Field(
        None, description="Send the tasks of lane later when there are so many."
    )
    flush_bytes: Annotated[Annotated[int, Field(ge=1, strict=True)] | None, OFF] = Field(
        None, description="Send them when their changes have so many bytes."
    )
    flush_age: Annotated[Duration | None, OFF] = Field(
        None, description="Send them when the oldest is so old: 30m, 12h or 2d."
    )


class CommentLimits(ConfigTable):
    open: Annotated[int, Field(ge=0, le=30, strict=True)] = Field(
        5, description="Inline comments on an open pull request."
    )
    merged: Annotated[int, Field(ge=0, le=1, strict=True)] = Field(
        1, description="Comments on a merged pull request; 0 turns them off."
    )


def _scalar_or_table(value: object) -> str:
    return TABLE if isinstance(value, dict | ConfigTable) else SCALAR


def _check_step(step: str) -> str:
    effort = step.removeprefix(EFFORT) if step.startswith(EFFORT) else None
    is_name = re.fullmatch(r"[A-Za-z0-9][\w.:@/-]{0,99}", step)
    if effort not in get_args(Effort) if effort is not None else not is_name:
        raise ValueError(f'must be a model, "{EFFORT}low" (or another effort), or "{RISKY_ONLY}"')
    return step


class Config(ConfigTable):
    model: str = Field("claude-sonnet-5-5", min_length=1, max_length=100, description="The model.")
    effort: Annotated[Effort | None, OFF] = Field(
        "medium", description="The effort of the model; false leaves it to the model."
    )
    kinds: Annotated[tuple[ConfiguredKind, ...], AfterValidator(_check_kinds)] = Field(
        ("review",),
        description="The questions: built-in kinds and your own.",
        json_schema_extra={"minItems": 1},
    )
    rules: tuple[PathRule, ...] = Field((), description="Instructions and models for some files.")
    exclude: tuple[Pattern, ...] = Field(
        (), description="Files that are never sent, in gitignore syntax."
    )
    max_comments: Annotated[
        Annotated[int, Field(ge=0, le=30, strict=True), Tag(SCALAR)]
        | Annotated[CommentLimits, Tag(TABLE)],
        Discriminator(_scalar_or_table),
    ] = Field(
        5, description="Inline comments on a pull request; further findings go to the summary."
    )
    verify: Annotated[ModelName | None, OFF] = Field(
        "claude-haiku-5-5", description="The model that verifies each finding; false: none."
    )
    budget: Budget = Field(Budget(), description="Limits in dollars; false is no limit.")
    ladder: tuple[Annotated[str, AfterValidator(_check_step)], ...] = Field(
        (RISKY_ONLY,),
        max_length=10,
        description="Steps to try in turn when a submission exceeds the budget.",
    )
    lane: Annotated[
        Annotated[PlanLane, Tag(SCALAR)] | Annotated[LaneTable, Tag(TABLE)],
        Discriminator(_scalar_or_table),
    ] = Field(
        "batch",
        description="batch: half price, minutes to 24 hours; now: full price, at once; auto: now "
        "where that costs at most $0.05 more; later: sent by the next flush.",
    )
    prices: dict[ModelName, CustomRates] = Field(
        {}, description="Your own rates by model, in dollars per million tokens of a class."
    )
    retention: Literal["answers", "ids"] = Field(
        "answers", description="Whether the ledger keeps findings, or ids and costs only."
    )
    forks: Literal["skip", "label"] = Field(
        "skip", description="Pull requests from forks: skipped, or submitted when labelled."
    )
    state: LedgerConfig = Field(LedgerConfig(), description="The place of the ledger.")
    fail_on: Annotated[Severity | None, OFF] = Field(
        None, description="Findings at or above this severity make the exit code 1."
    )

    @property
    def plan_lane(self) -> PlanLane:
        return self.lane.default if isinstance(self.lane, LaneTable) else self.lane

    @property
    def batch_lane(self) -> Lane:
        """The lane in which tasks are sent once they are due."""
        return "now" if self.plan_lane == "now" else "batch"

    @property
    def comment_limits(self) -> CommentLimits:
        limits = self.max_comments
        return limits if isinstance(limits, CommentLimits) else CommentLimits(open=limits)
