"""The configuration: one frozen value.

It is written in TOML, which has no null: `false` switches a key off that can be switched off.
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

from claude_batch.config.error_messages import BUILT_IN_KIND, OWN_KIND
from claude_batch.findings.finding import Severity

LEAST, MOST = Decimal("0.0001"), Decimal(10_000)  # dollars per million tokens


def _number(value: object) -> object:
    """pydantic would take quoted amounts and truth values for numbers. TOML's null is false."""
    if isinstance(value, str) or value is True:
        raise ValueError
    return None if value is False else value


PerMillion = Annotated[
    Annotated[Decimal, Field(ge=LEAST, le=MOST)] | None,
    BeforeValidator(_number),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0.0001, "maximum": 10_000}, {"const": False}]}
    ),
]

Share = Annotated[
    Annotated[Decimal, Field(ge=0, le=Decimal("0.99"))],
    BeforeValidator(_number),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 0.99}),
]


class CustomRates(BaseModel):
    """Of one model. A class that is not named keeps its rate; the discount is taken off those."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: PerMillion = Field(None, description="Dollars per million input tokens.")
    output: PerMillion = Field(None, description="Dollars per million output tokens.")
    cache_read: PerMillion = Field(None, description="Dollars per million, read from cache.")
    cache_write_5m: PerMillion = Field(
        None, description="Dollars per million, written to the cache for five minutes."
    )
    cache_write_1h: PerMillion = Field(
        None, description="Dollars per million, written to the cache for an hour."
    )
    discount: Share = Field(
        Decimal(0), description="The share, 0 to 0.99, that is taken off the classes not named."
    )


BUILT_IN_KINDS = ("review", "refactor", "security", "docs", "tests")


class ConfigTable(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _off(value: object) -> object:
    return None if value is False else value


def _config_number(value: object) -> object:
    """pydantic would take a quoted amount for a number."""
    if isinstance(value, str):
        raise ValueError  # noqa: TRY004 - pydantic wants this one
    return _off(value)


def _ref(name: str) -> str:
    """What `git check-ref-format --branch` accepts, nearly."""
    if name.startswith(("-", "/", ".")) or name.endswith(("/", ".", ".lock")):
        raise ValueError("the name of a remote or a branch")
    if re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{", name):
        raise ValueError("the name of a remote or a branch")
    return name


OFF = BeforeValidator(_off)
CONFIG_MOST = 1_000_000

Dollars = Annotated[
    Annotated[Decimal, Field(ge=0, le=CONFIG_MOST)] | None,
    BeforeValidator(_config_number),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": CONFIG_MOST}, {"const": False}]}
    ),
]

Effort = Literal["low", "medium", "high", "xhigh", "max"]
Lane = Literal["batch", "now"]
ModelName = Annotated[str, Field(min_length=1, max_length=100)]
Pattern = Annotated[str, Field(min_length=1, max_length=1_000)]
RISKY_ONLY, EFFORT = "risky-only", "effort="  # steps of the ladder that name no model
Prose = Annotated[str, Field(min_length=1, max_length=20_000)]


def _step(step: str) -> str:
    effort = step.removeprefix(EFFORT) if step.startswith(EFFORT) else None
    is_name = re.fullmatch(r"[A-Za-z0-9][\w.:@/-]{0,99}", step)
    if effort not in get_args(Effort) if effort is not None else not is_name:
        raise ValueError(f'a model, "{EFFORT}low" (or another effort), or "{RISKY_ONLY}"')
    return step


class Budget(ConfigTable):
    """Dollars. None (in TOML false): no limit."""

    pull_request: Dollars = Field(Decimal(1), description="The most that one pull request costs.")
    day: Dollars = Field(None, description="The most that is spent in a day (UTC).")
    month: Dollars = Field(Decimal(25), description="The most that is spent in a month (UTC).")


class PathRule(ConfigTable):
    """What holds for the files that match `path` (gitignore syntax): an instruction, a model."""

    path: Pattern = Field("**", description="The files that it is for, in gitignore syntax.")
    below: Annotated[Annotated[int, Field(ge=1, le=CONFIG_MOST, strict=True)] | None, OFF] = Field(
        None, description="Only those of which fewer bytes of changes are asked about."
    )
    instruction: Annotated[Prose | None, OFF] = Field(
        None, description="What the model is told about them."
    )
    model: Annotated[ModelName | None, OFF] = Field(
        None, description="The model that is asked about them; of several rules the last decides."
    )

    @model_validator(mode="after")
    def _says_something(self) -> "PathRule":
        if not (self.instruction or self.model):
            raise ValueError("a table with an `instruction`, a `model`, or both")
        return self


class LedgerConfig(ConfigTable):
    """Where the ledger lives. `branch` may also be a full ref outside refs/heads/."""

    remote: Annotated[str, AfterValidator(_ref)] = Field(
        "origin", min_length=1, description="The remote that the ledger is pushed to."
    )
    branch: Annotated[str, AfterValidator(_ref)] = Field(
        "claude-batch-state",
        min_length=1,
        description="The branch that holds the ledger, or a full ref such as refs/claude-batch/x.",
    )


class OwnKind(ConfigTable):
    """A kind of the user's own: its prompt is its identity."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$", description="How findings are labelled.")
    prompt: Prose = Field(description="What is asked about each piece of changed code.")


ConfiguredKind = Annotated[
    Annotated[Literal["review", "refactor", "security", "docs", "tests"], Tag(BUILT_IN_KIND)]
    | Annotated[OwnKind, Tag(OWN_KIND)],
    Discriminator(lambda value: OWN_KIND if isinstance(value, dict | OwnKind) else BUILT_IN_KIND),
]


def _distinct(kinds: tuple[str | OwnKind, ...]) -> tuple[str | OwnKind, ...]:
    if not kinds:
        raise ValueError("a list with at least one kind")
    names = [kind.name if isinstance(kind, OwnKind) else kind for kind in kinds]
    names += [name for name in BUILT_IN_KINDS if name not in kinds]
    if len(set(names)) < len(names):
        raise ValueError("a list in which no name stands twice or is that of a built-in kind")
    return kinds


class Config(ConfigTable):
    model: str = Field(
        "claude-sonnet-5-5", min_length=1, max_length=100, description="The model that is asked."
    )
    effort: Annotated[Effort | None, OFF] = Field(
        "medium", description="How hard it thinks; false leaves that to the model."
    )
    kinds: Annotated[tuple[ConfiguredKind, ...], AfterValidator(_distinct)] = Field(
        ("review",),
        description="What is asked: built-in kinds and your own.",
        json_schema_extra={"minItems": 1},
    )
    rules: tuple[PathRule, ...] = Field((), description="What holds for some of the files only.")
    exclude: tuple[Pattern, ...] = Field(
        (), description="Files that are never sent, in gitignore syntax."
    )
    max_comments: int = Field(
        5,
        ge=0,
        le=30,
        strict=True,
        description="Inline comments on a pull request; further findings go to the summary.",
    )
    verify: Annotated[ModelName | None, OFF] = Field(
        "claude-haiku-5-5",
        description="The model that takes a second look at each finding; false: none does.",
    )
    budget: Budget = Field(Budget(), description="Limits in dollars; false is no limit.")
    ladder: tuple[Annotated[str, AfterValidator(_step)], ...] = Field(
        (),
        max_length=10,
        description="What is tried in turn when the budget is too small for a submission.",
    )
    lane: Lane = Field(
        "batch", description="batch: half price, minutes to 24 hours; now: full price, at once."
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
    state: LedgerConfig = Field(LedgerConfig(), description="Where the ledger lives.")
    fail_on: Annotated[Severity | None, OFF] = Field(
        None, description="Findings at or above this severity make the exit code 1."
    )
