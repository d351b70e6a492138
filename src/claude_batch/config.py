"""The configuration: one frozen value, from one TOML table.

TOML has no null, so `false` switches a key off that can be switched off.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from claude_batch.errors import BadConfig, BadUsage
from claude_batch.finding import Severity
from claude_batch.misconfig import BUILT_IN_KIND, OWN_KIND, complaint, did_you_mean
from claude_batch.negotiated import Negotiated

OWN_FILE = ".claude-batch.toml"
PYPROJECT = "pyproject.toml"
FILES = (OWN_FILE, PYPROJECT)
TABLE = "claude-batch"  # under [tool] in pyproject.toml
BUILT_IN = ("review", "refactor", "security", "docs", "tests")


class Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _off(value: object) -> object:
    return None if value is False else value


def _number(value: object) -> object:
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
MOST = 1_000_000
Dollars = Annotated[
    Annotated[Decimal, Field(ge=0, le=MOST)] | None,
    BeforeValidator(_number),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": MOST}, {"const": False}]}
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


class Budget(Table):
    """Dollars. None (in TOML false): no limit."""

    pull_request: Dollars = Field(Decimal(1), description="The most that one pull request costs.")
    day: Dollars = Field(None, description="The most that is spent in a day (UTC).")
    month: Dollars = Field(Decimal(25), description="The most that is spent in a month (UTC).")


class Rule(Table):
    """What holds for the files that match `path` (gitignore syntax): an instruction, a model."""

    path: Pattern = Field("**", description="The files that it is for, in gitignore syntax.")
    below: Annotated[Annotated[int, Field(ge=1, le=MOST, strict=True)] | None, OFF] = Field(
        None, description="Only those of which fewer bytes of changes are asked about."
    )
    instruction: Annotated[Prose | None, OFF] = Field(
        None, description="What the model is told about them."
    )
    model: Annotated[ModelName | None, OFF] = Field(
        None, description="The model that is asked about them; of several rules the last decides."
    )

    @model_validator(mode="after")
    def _says_something(self) -> "Rule":
        if not (self.instruction or self.model):
            raise ValueError("a table with an `instruction`, a `model`, or both")
        return self


class State(Table):
    """Where the ledger lives. `branch` may also be a full ref outside refs/heads/."""

    remote: Annotated[str, AfterValidator(_ref)] = Field(
        "origin", min_length=1, description="The remote that the ledger is pushed to."
    )
    branch: Annotated[str, AfterValidator(_ref)] = Field(
        "claude-batch-state",
        min_length=1,
        description="The branch that holds the ledger, or a full ref such as refs/claude-batch/x.",
    )


class OwnKind(Table):
    """A kind of the user's own: its prompt is its identity."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$", description="How findings are labelled.")
    prompt: Prose = Field(description="What is asked about each piece of changed code.")


Kind = Annotated[
    Annotated[Literal["review", "refactor", "security", "docs", "tests"], Tag(BUILT_IN_KIND)]
    | Annotated[OwnKind, Tag(OWN_KIND)],
    Discriminator(lambda value: OWN_KIND if isinstance(value, dict | OwnKind) else BUILT_IN_KIND),
]


def _distinct(kinds: tuple[str | OwnKind, ...]) -> tuple[str | OwnKind, ...]:
    if not kinds:
        raise ValueError("a list with at least one kind")
    names = [kind.name if isinstance(kind, OwnKind) else kind for kind in kinds]
    names += [name for name in BUILT_IN if name not in kinds]
    if len(set(names)) < len(names):
        raise ValueError("a list in which no name stands twice or is that of a built-in kind")
    return kinds


class Config(Table):
    model: str = Field(
        "claude-sonnet-5-5", min_length=1, max_length=100, description="The model that is asked."
    )
    effort: Annotated[Effort | None, OFF] = Field(
        "medium", description="How hard it thinks; false leaves that to the model."
    )
    kinds: Annotated[tuple[Kind, ...], AfterValidator(_distinct)] = Field(
        ("review",),
        description="What is asked: built-in kinds and your own.",
        json_schema_extra={"minItems": 1},
    )
    rules: tuple[Rule, ...] = Field((), description="What holds for some of the files only.")
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
    prices: dict[ModelName, Negotiated] = Field(
        {}, description="Your own rates by model, in dollars per million tokens of a class."
    )
    retention: Literal["answers", "ids"] = Field(
        "answers", description="Whether the ledger keeps findings, or ids and costs only."
    )
    forks: Literal["skip", "label"] = Field(
        "skip", description="Pull requests from forks: skipped, or submitted when labelled."
    )
    state: State = Field(State(), description="Where the ledger lives.")
    fail_on: Annotated[Severity | None, OFF] = Field(
        None, description="Findings at or above this severity make the exit code 1."
    )


def choose(files: Mapping[str, bytes | None]) -> Config:
    """The configuration of a repository from the files of its root by name; None: no such file.

    Raises BadConfig, also where both files configure us.
    """
    own, project = files.get(OWN_FILE), files.get(PYPROJECT)
    # A pyproject.toml that is not about us may be as broken as it likes.
    mentioned = project is not None and re.search(rb"claude.batch", project)
    ours = _table(PYPROJECT, project) if project is not None and mentioned else None
    if own is not None and ours is not None:
        raise BadConfig(
            f"{OWN_FILE} and [tool.{TABLE}] in {PYPROJECT} both configure claude-batch",
            "move everything into one of them and delete the other",
        )
    if own is not None:
        return parse(OWN_FILE, own)
    return _validated(PYPROJECT, ours or {})


def parse(name: str, data: bytes) -> Config:
    """One file, whose name says where in it the table is. Raises BadConfig."""
    return _validated(name, _table(name, data) or {})


def override(config: Config, **changes: object) -> Config:
    """With what flags or inputs said; None and "" said nothing. Raises BadUsage.

    Text is read as its key wants it: "5", "review,security", "off". `kinds` may name those of the
    user's own that the configuration has. `budget` is the dollars of one pull request.
    """
    said = {key: _said(key, value) for key, value in changes.items() if value not in (None, "")}
    if "kinds" in said:
        own = {kind.name: kind for kind in config.kinds if isinstance(kind, OwnKind)}
        said["kinds"] = tuple(own.get(str(kind), kind) for kind in _listed(said["kinds"]))
    if "budget" in said:
        budget = {key: getattr(config.budget, key) for key in Budget.model_fields}
        said["budget"] = budget | {"pull_request": said["budget"]}
    try:
        return Config.model_validate({key: getattr(config, key) for key in KEYS} | said)
    except ValidationError as error:
        raise BadUsage(*complaint(error.errors(), schema())) from error


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else (value,)


def _said(key: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    if value == "off" and key in ("effort", "fail_on", "budget"):
        return False
    if key in ("kinds", "exclude"):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    try:
        return {"max_comments": int, "budget": Decimal}.get(key, str)(value)
    except (ValueError, InvalidOperation):
        return value


def _table(name: str, data: bytes) -> dict[str, Any] | None:
    """Our table of a file; None where a pyproject.toml has none. Amounts come as Decimal."""
    try:
        loaded = tomllib.loads(data.decode("utf-8-sig"), parse_float=Decimal)
    except UnicodeDecodeError as error:
        raise BadConfig(f"{name} is not UTF-8", "save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadConfig(f"{name} is not TOML: {error}", "correct it: https://toml.io") from error
    if not name.endswith(PYPROJECT):
        return loaded
    tool = loaded.get("tool", {})
    if not isinstance(tool, dict) or not isinstance(tool.get(TABLE, {}), dict):
        raise BadConfig(f"{name}: tool.{TABLE} is not a table", f"write [tool.{TABLE}]")
    if "claude_batch" in tool:
        raise BadConfig(f"{name}: unknown table tool.claude_batch", did_you_mean(f"tool.{TABLE}"))
    return tool.get(TABLE)


def _validated(name: str, table: dict[str, Any]) -> Config:
    try:
        return Config.model_validate(table)
    except ValidationError as error:
        where = f"tool.{TABLE}." if name.endswith(PYPROJECT) else ""
        problem, remedy = complaint(error.errors(), schema(), where)
        raise BadConfig(f"{name}: {problem}", remedy) from error


def schema() -> dict[str, Any]:
    """JSON Schema of the table, as it is written in TOML."""
    made: dict[str, Any] = _as_toml(Config.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def schema_text() -> str:
    """What config.schema.json holds."""
    return json.dumps(schema(), indent=2) + "\n"


def _as_toml(node: Any) -> Any:
    """pydantic's schema speaks of nulls, of amounts as text, and of a default for each table."""
    if isinstance(node, list):
        return [_as_toml(item) for item in node]
    if node == {"type": "null"}:
        return {"const": False}
    if not isinstance(node, dict):
        return node
    made = {key: _as_toml(value) for key, value in node.items() if key != "title"}
    match made:
        case {"default": dict()}:
            del made["default"]
        case {"default": None}:
            made["default"] = False
        case {"default": str(amount), "type": "number"}:
            made["default"] = json.loads(amount)
        case {"default": str(amount), "anyOf": [{"type": "number"}, *_]}:
            made["default"] = json.loads(amount)
        case _:
            pass
    return made


KEYS = tuple(Config.model_fields)
