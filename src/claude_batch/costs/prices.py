"""What tokens cost. All money is Decimal dollars; rounding happens where it is shown."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, cached_property
from importlib import resources
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from claude_batch.anthropic_api.results import Usage
from claude_batch.errors import BadConfig

# "All usage is charged at 50%", every token class, cache classes included.
# https://platform.claude.com/docs/en/build-with-claude/batch-processing
BATCH_FACTOR = Decimal("0.5")


class UnknownModel(BadConfig):
    """There is no price for a model. Its tokens are shown as unpriced, never as free."""


class _PriceModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Cost:
    """Dollars for a usage: paid, and what the same tokens cost at standard price, uncached.

    The difference has two parts that sum to it exactly. The cache comes first, at standard price:
    `saved_by_cache` is what the prompt costs as plain input less what it costs by its classes,
    and negative where writes cost more than reads saved. `saved_by_batch` is the half that the
    batch took off what then remained.
    """

    usd: Decimal
    usd_standard: Decimal
    saved_by_batch: Decimal = Decimal(0)

    @property
    def saved_by_cache(self) -> Decimal:
        return self.usd_standard - self.usd - self.saved_by_batch


Price = Annotated[Decimal, Field(gt=0)]


class Rates(_PriceModel):
    """Dollars per million tokens, standard price."""

    input: Price
    output: Price
    cache_read: Price
    cache_write_5m: Price
    cache_write_1h: Price

    def cost(self, usage: Usage) -> Decimal:
        """What these tokens cost by their classes."""
        return (
            self.input * usage.input
            + self.output * usage.output
            + self.cache_read * usage.cache_read
            + self.cache_write_5m * usage.cache_write_5m
            + self.cache_write_1h * usage.cache_write_1h
        ).scaleb(-6)

    def uncached_cost(self, usage: Usage) -> Decimal:
        """What they cost if the whole prompt were plain input."""
        return (self.input * usage.prompt + self.output * usage.output).scaleb(-6)


class LongPrompt(_PriceModel):
    """A prompt of more than `above` tokens has these rates for every token, output too."""

    above: int
    rates: Rates


class Period(_PriceModel):
    """`since` None: as far back as the model goes."""

    since: date | None = None
    rates: Rates
    long_prompt: LongPrompt | None = None


class ModelPrice(_PriceModel):
    """`cache_minimum`: a prefix of fewer tokens is silently not cached. None: nobody knows."""

    aliases: tuple[str, ...] = ()
    cache_minimum: PositiveInt | None = None
    periods: tuple[Period, ...] = Field(min_length=1)  # oldest first


class Prices(BaseModel):
    """The dated table that ships with the package. `as_of` is the day it was last checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: date
    source: str
    models: dict[str, ModelPrice]

    @classmethod
    @cache
    def load(cls) -> "Prices":
        shipped = resources.files("claude_batch").joinpath("costs", "prices.json")
        return cls.model_validate_json(shipped.read_bytes())

    @cached_property
    def _by_name(self) -> dict[str, ModelPrice]:
        named = dict(self.models)
        for entry in self.models.values():
            named.update(dict.fromkeys(entry.aliases, entry))
        return named

    def canonical_name(self, model: str) -> str | None:
        """What the table calls it; None: it has no such model."""
        known = (name for name, entry in self.models.items() if model in (name, *entry.aliases))
        return next(known, None)

    def suggest(self, model: str) -> str | None:
        """A question about the nearest name."""
        near = difflib.get_close_matches(model, self._by_name, n=1)
        return f"did you mean {near[0]}?" if near else None

    def rates(self, model: str, *, at: date, prompt_tokens: int) -> Rates:
        """The standard rates of one request. Raises UnknownModel."""
        period = self._periods(model, _utc_day(at))
        if period.long_prompt and prompt_tokens > period.long_prompt.above:
            return period.long_prompt.rates
        return period.rates

    @cached_property
    def _periods(self) -> Callable[[str, date], Period]:
        """Looked up once: a batch asks a hundred thousand times for the same."""
        return cache(self._period)

    def _period(self, model: str, day: date) -> Period:
        entry = self._by_name.get(model)
        if entry is None:
            raise self._unknown(model)
        started = [item for item in entry.periods if item.since is None or item.since <= day]
        return started[-1] if started else entry.periods[0]

    def cache_minimum(self, model: str) -> int | None:
        """The shortest prefix in tokens that this model caches, where it is known."""
        entry = self._by_name.get(model)
        return entry.cache_minimum if entry else None

    def cost(self, model: str, usage: Usage, *, at: date, batch: bool) -> Cost:
        """Of one request: tiers go by the size of its prompt. Raises UnknownModel."""
        rates = self.rates(model, at=at, prompt_tokens=usage.prompt)
        cached = rates.cost(usage)
        usd = cached * BATCH_FACTOR if batch else cached
        return Cost(usd=usd, usd_standard=rates.uncached_cost(usage), saved_by_batch=cached - usd)

    def _unknown(self, model: str) -> UnknownModel:
        listed = ", ".join(sorted(self.models))
        return UnknownModel(
            f"no price is known for the model {model!r} (prices as of {self.as_of})",
            self.suggest(model) or f"name one of {listed}, or upgrade claude-batch",
        )


def _utc_day(at: date) -> date:
    """A datetime is a date to the type checker, but the two do not compare."""
    return at.astimezone(UTC).date() if isinstance(at, datetime) else at
