"""The configuration: one frozen value, from one TOML table."""

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from claude_batch.finding import Severity


class Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Budget(Table):
    """Dollars. None: no limit."""

    pull_request: Decimal | None = Field(Decimal(1), ge=0)
    day: Decimal | None = Field(None, ge=0)
    month: Decimal | None = Field(Decimal(25), ge=0)


class Rule(Table):
    """An instruction for the files that match `path` (gitignore syntax)."""

    path: str = "**"
    instruction: str


class State(Table):
    """Where the ledger lives. `branch` may also be a full ref outside refs/heads/."""

    remote: str = "origin"
    branch: str = "claude-batch-state"


class OwnKind(Table):
    """A kind of the user's own: its prompt is its identity."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    prompt: str


class Config(Table):
    model: str = "claude-sonnet-5-5"
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = "medium"
    kinds: tuple[str | OwnKind, ...] = ("review",)
    rules: tuple[Rule, ...] = ()
    exclude: tuple[str, ...] = ()
    max_comments: int = Field(5, ge=0, le=30)
    verify: str | Literal[False] = "claude-haiku-5-5"
    budget: Budget = Budget()
    lane: Literal["batch", "now"] = "batch"
    retention: Literal["answers", "ids"] = "answers"
    forks: Literal["skip", "label"] = "skip"
    state: State = State()
    fail_on: Severity | None = None
